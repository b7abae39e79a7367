// userfaultfd, by raw system calls.
#include <heapwright/alloc/heap/detail/mesh_window.hpp>

#include <cerrno>

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <heapwright/os/pages.hpp>
#include <heapwright/os/syscall.hpp>
#include <heapwright/os/thread.hpp>

namespace heapwright::heap {

namespace {

// Since Linux 6.8; older headers lack it.
struct MoveRequest {
    std::uint64_t to = 0;
    std::uint64_t from = 0;
    std::uint64_t bytes = 0;
    std::uint64_t mode = 0;
    std::int64_t moved = 0;
};
constexpr unsigned long kMove = _IOWR(UFFDIO, 0x05, MoveRequest);
constexpr std::uint64_t kMoveFeature = std::uint64_t{1} << 16;
constexpr std::uint64_t kMoveOverHoles = 2;  // pages that were never touched are none
constexpr unsigned long kNewDescriptor = _IO(0xAA, 0x00);
constexpr int kPopulateForWriting = 23;  // MADV_POPULATE_WRITE
constexpr unsigned kPatience = 1000;

long control(long descriptor, unsigned long request, void* argument) noexcept {
    return os::raw_syscall(SYS_ioctl, descriptor, request, argument);
}

std::uint64_t address_of(const char* start) noexcept { return reinterpret_cast<std::uint64_t>(start); }

uffdio_range slice_range(const char* slice) noexcept { return {.start = address_of(slice), .len = kSliceBytes}; }

long enroll(long descriptor, const char* slice, std::uint64_t mode) noexcept {
    uffdio_register request{.range = slice_range(slice), .mode = mode, .ioctls = 0};
    return control(descriptor, UFFDIO_REGISTER, &request);
}

/// A descriptor that also stops the kernel's own accesses: a system call waits instead of failing.
long new_descriptor() noexcept {
    const long made = os::raw_syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
    if (!os::is_failure(made) || os::errno_of(made) != EPERM) {
        return made;
    }
    const long device = os::raw_syscall(SYS_openat, AT_FDCWD, "/dev/userfaultfd", O_RDWR | O_CLOEXEC);
    if (os::is_failure(device)) {
        return made;
    }
    const long by_device = os::raw_syscall(SYS_ioctl, device, kNewDescriptor, O_CLOEXEC | O_NONBLOCK);
    os::raw_syscall(SYS_close, device);
    return by_device;
}

/// What a failure means; `of_old_kernel`: that of a kernel which does not know what was asked.
MeshWindow::Refusal refusal_of(long failure, int of_old_kernel) noexcept {
    const int error = os::errno_of(failure);
    if (error == EPERM) {
        return MeshWindow::Refusal::forbidden;
    }
    return error == of_old_kernel ? MeshWindow::Refusal::old_kernel : MeshWindow::Refusal::exhausted;
}

/// Fills in what a child lacks. `child` is its own descriptor.
void fill_child(long child, char* slice, const char* content) noexcept {
    for (std::size_t offset = 0; offset < kSliceBytes; offset += os::kPageBytes) {
        uffdio_copy request{
            .dst = address_of(slice) + offset, .src = address_of(content) + offset, .len = os::kPageBytes, .mode = 0, .copy = 0};
        long result = 0;
        do {
            result = control(child, UFFDIO_COPY, &request);
        } while (os::is_failure(result) && os::errno_of(result) == EAGAIN);
        if (os::is_failure(result) && os::errno_of(result) == ESRCH) {
            return;  // it is gone
        }
        // Otherwise: it has the page, or it was forked where nothing was away.
    }
}

}  // namespace

MeshWindow::Refusal MeshWindow::open() noexcept {
    if (room_ == nullptr) {
        room_ = static_cast<char*>(os::map_pages(kSliceBytes, "heapwright mesh"));
        if (room_ == nullptr) {
            return Refusal::exhausted;
        }
    }
    if (!os::discard(room_, kSliceBytes)) {
        return Refusal::locked_memory;
    }
    descriptor_ = new_descriptor();
    if (os::is_failure(descriptor_)) {
        const long failure = descriptor_;
        descriptor_ = -1;
        return refusal_of(failure, ENOSYS);
    }
    uffdio_api api{.api = UFFD_API, .features = UFFD_FEATURE_EVENT_FORK | kMoveFeature, .ioctls = 0};
    if (const long result = control(descriptor_, UFFDIO_API, &api); os::is_failure(result)) {
        os::raw_syscall(SYS_close, descriptor_);
        return refusal_of(result, EINVAL);
    }
    // Not for its absence: what is not there reads as zero.
    if (os::is_failure(enroll(descriptor_, room_, UFFDIO_REGISTER_MODE_WP))) {
        os::raw_syscall(SYS_close, descriptor_);
        return Refusal::exhausted;
    }
    return Refusal::none;
}

void MeshWindow::close() noexcept {
    // A child has a copy of the descriptor, so that closing it ends nothing: who is between its fork and its report is answered first.
    unregister(room_);
    settle(room_);
    os::raw_syscall(SYS_close, descriptor_);
    descriptor_ = -1;
}

/// Children that were forked since: each reports itself before it runs, and is given a copy of what was taken out.
void MeshWindow::answer_forks(char* slice) noexcept {
    uffd_msg message{};
    while (os::raw_syscall(SYS_read, descriptor_, &message, sizeof(message)) == static_cast<long>(sizeof(message))) {
        if (message.event == UFFD_EVENT_FORK) {
            fill_child(message.arg.fork.ufd, slice, room_);
            os::raw_syscall(SYS_close, message.arg.fork.ufd);
        }
    }
}

/// Until no child is between its fork and its report: so long the kernel answers EAGAIN.
void MeshWindow::settle(char* slice) noexcept {
    while (true) {
        answer_forks(slice);
        uffdio_writeprotect nothing{.range = slice_range(room_), .mode = 0};
        const long result = control(descriptor_, UFFDIO_WRITEPROTECT, &nothing);
        if (!os::is_failure(result) || os::errno_of(result) != EAGAIN) {
            return;
        }
        os::raw_syscall(SYS_sched_yield);
    }
}

void MeshWindow::unregister(char* slice) noexcept {
    uffdio_range range = slice_range(slice);
    static_cast<void>(control(descriptor_, UFFDIO_UNREGISTER, &range));
    static_cast<void>(control(descriptor_, UFFDIO_WAKE, &range));
}

MeshWindow::Moved MeshWindow::move_out(char* slice) noexcept {
    if (os::is_failure(enroll(descriptor_, slice, UFFDIO_REGISTER_MODE_MISSING))) {
        return Moved::refused;
    }
    std::size_t done = 0;
    unsigned refused = 0;
    while (done < kSliceBytes) {
        MoveRequest request{
            .to = address_of(room_) + done, .from = address_of(slice) + done, .bytes = kSliceBytes - done, .mode = kMoveOverHoles};
        const long result = control(descriptor_, kMove, &request);
        if (!os::is_failure(result)) {
            return Moved::all;
        }
        if (request.moved > 0) {
            done += static_cast<std::size_t>(request.moved);
            continue;
        }
        if (os::errno_of(result) != EAGAIN || ++refused == kPatience) {
            put_back(slice, 0, done);
            return os::errno_of(result) == EBUSY ? Moved::busy : Moved::refused;
        }
        settle(slice);
    }
    return Moved::all;
}

/// The bytes [from, to) go home. They are nobody else's, so that only the moment can be wrong: it is tried until it succeeds.
void MeshWindow::put_back(char* slice, std::size_t from, std::size_t to) noexcept {
    std::size_t done = from;
    while (done < to) {
        MoveRequest request{.to = address_of(slice) + done, .from = address_of(room_) + done, .bytes = to - done, .mode = kMoveOverHoles};
        const long result = control(descriptor_, kMove, &request);
        if (!os::is_failure(result)) {
            break;
        }
        if (request.moved > 0) {
            done += static_cast<std::size_t>(request.moved);
            continue;
        }
        settle(slice);
        uffdio_copy copy{.dst = address_of(slice) + done, .src = address_of(room_) + done, .len = os::kPageBytes, .mode = 0, .copy = 0};
        const long copied = control(descriptor_, UFFDIO_COPY, &copy);
        if (!os::is_failure(copied) || os::errno_of(copied) == EEXIST) {
            done += os::kPageBytes;
        } else {
            os::sleep_ns(100'000);  // no memory for the moment
        }
    }
    settle(slice);
    unregister(slice);
    static_cast<void>(os::discard(room_, kSliceBytes));  // what is left are copies
}

bool MeshWindow::take_out(char* slice) noexcept {
    const Moved moved = move_out(slice);
    if (moved != Moved::busy) {
        return moved == Moved::all;
    }
    // Shared with a child since a fork, or held for a transfer. The former ends when the page is written to.
    if (os::is_failure(os::raw_syscall(SYS_madvise, slice, kSliceBytes, kPopulateForWriting))) {
        return false;
    }
    return move_out(slice) == Moved::all;
}

bool MeshWindow::map_over(char* slice, int file, MeshPlaces places) noexcept {
    std::uint32_t page = 0;
    while (page < kPagesOfSlice) {
        const std::uint32_t end = mesh_run_end(places, page);
        const long result =
            os::raw_syscall(SYS_mmap, slice + page * os::kPageBytes, (end - page) * os::kPageBytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, file, std::size_t{mesh_place(places, page)} * os::kPageBytes);
        if (os::is_failure(result)) {
            put_back(slice, page * os::kPageBytes, kSliceBytes);
            return page != 0;
        }
        page = end;
    }
    uffdio_range range = slice_range(slice);
    static_cast<void>(control(descriptor_, UFFDIO_WAKE, &range));
    settle(slice);
    static_cast<void>(os::discard(room_, kSliceBytes));  // open() looked that it can be
    return true;
}

bool map_anonymous_over(char* slice) noexcept {
    const long result = os::raw_syscall(SYS_mmap, slice, kSliceBytes, PROT_READ | PROT_WRITE,
                                        MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (os::is_failure(result)) {
        return false;
    }
    os::name_pages(slice, kSliceBytes, "heapwright heap");  // as its neighbours, so that the kernel joins them
    return true;
}

}  // namespace heapwright::heap
