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
constexpr int kPopulateForReading = 22;  // MADV_POPULATE_READ
constexpr int kPopulateForWriting = 23;  // MADV_POPULATE_WRITE
constexpr unsigned kPatience = 1000;

long control(long descriptor, unsigned long request, void* argument) noexcept {
    return os::raw_syscall(SYS_ioctl, descriptor, request, argument);
}

std::uint64_t address_of(const char* start) noexcept { return reinterpret_cast<std::uint64_t>(start); }

uffdio_range range_of(const char* pages, std::size_t bytes) noexcept { return {.start = address_of(pages), .len = bytes}; }

/// Who waits for the pages looks again.
void wake(long descriptor, const char* pages, std::size_t bytes) noexcept {
    uffdio_range range = range_of(pages, bytes);
    static_cast<void>(control(descriptor, UFFDIO_WAKE, &range));
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

}  // namespace

MeshWindow::Refusal MeshWindow::open() noexcept {
    if (room_ == nullptr) {
        room_ = static_cast<char*>(os::map_pages(kRoomBytes, "heapwright mesh"));
        if (room_ == nullptr) {
            return Refusal::exhausted;
        }
    }
    used_ = 0;
    away_count_ = 0;
    lacks_mappings_ = false;
    if (!os::discard(room_, kRoomBytes)) {
        return Refusal::locked_memory;
    }
    // A child of a bare clone has its parent's descriptor, which is of the parent's memory. Where the program closed it, it refuses.
    // The room is registered not for its absence: what is not there reads as zero.
    if (process_ == os::raw_syscall(SYS_getpid) && watch(room_, kRoomBytes, UFFDIO_REGISTER_MODE_WP)) {
        return Refusal::none;
    }
    forget();
    lacks_mappings_ = false;  // what the old descriptor was refused says nothing
    const Refusal refusal = make_descriptor();
    if (refusal == Refusal::none && !watch(room_, kRoomBytes, UFFDIO_REGISTER_MODE_WP)) {
        shut();
        return Refusal::exhausted;
    }
    return refusal;
}

MeshWindow::Refusal MeshWindow::make_descriptor() noexcept {
    const long made = new_descriptor();
    if (os::is_failure(made)) {
        return refusal_of(made, ENOSYS);
    }
    descriptor_ = made;
    process_ = os::raw_syscall(SYS_getpid);
    uffdio_api api{.api = UFFD_API, .features = UFFD_FEATURE_EVENT_FORK | kMoveFeature, .ioctls = 0};
    if (const long result = control(descriptor_, UFFDIO_API, &api); os::is_failure(result)) {
        shut();
        return refusal_of(result, EINVAL);
    }
    return Refusal::none;
}

void MeshWindow::shut() noexcept {
    if (process_ == os::raw_syscall(SYS_getpid) && descriptor_ >= 0) {
        os::raw_syscall(SYS_close, descriptor_);
    }
    forget();
}

void MeshWindow::reset_after_fork() noexcept {
    if (descriptor_ >= 0) {
        os::raw_syscall(SYS_close, descriptor_);
    }
    forget();
}

void MeshWindow::close() noexcept {
    empty_room();
    // A child has a copy of the descriptor, so that closing it ends nothing: who is between its fork and its report is answered first.
    let_go(room_, kRoomBytes);
    settle();
    if (page_map_ >= 0) {
        os::raw_syscall(SYS_close, page_map_);
        page_map_ = -1;
    }
}

/// Fills in what a child lacks. `child` is its own descriptor.
void MeshWindow::fill_child(long child) noexcept {
    for (std::size_t number = 0; number < away_count_; ++number) {
        const Away& away = away_[number];
        for (std::size_t offset = 0; offset < away.bytes; offset += os::kPageBytes) {
            uffdio_copy request{.dst = address_of(away.pages) + offset,
                                .src = address_of(room_) + away.at + offset,
                                .len = os::kPageBytes,
                                .mode = 0,
                                .copy = 0};
            long result = 0;
            do {
                result = control(child, UFFDIO_COPY, &request);
            } while (os::is_failure(result) && os::errno_of(result) == EAGAIN);
            if (os::is_failure(result) && os::errno_of(result) == ESRCH) {
                return;  // it is gone
            }
            // Otherwise: it has the page, or it was forked where these pages were not away.
        }
    }
}

/// Children that were forked since: each reports itself before it runs, and is given a copy of what was taken out.
void MeshWindow::answer_forks() noexcept {
    uffd_msg message{};
    while (os::raw_syscall(SYS_read, descriptor_, &message, sizeof(message)) == static_cast<long>(sizeof(message))) {
        if (message.event == UFFD_EVENT_FORK) {
            fill_child(message.arg.fork.ufd);
            os::raw_syscall(SYS_close, message.arg.fork.ufd);
        }
    }
}

/// Until no child is between its fork and its report: so long the kernel answers EAGAIN.
void MeshWindow::settle() noexcept {
    while (true) {
        answer_forks();
        uffdio_writeprotect nothing{.range = range_of(room_, kRoomBytes), .mode = 0};
        const long result = control(descriptor_, UFFDIO_WRITEPROTECT, &nothing);
        if (!os::is_failure(result) || os::errno_of(result) != EAGAIN) {
            return;
        }
        os::raw_syscall(SYS_sched_yield);
    }
}

/// Nobody needs what is in the room.
void MeshWindow::empty_room() noexcept {
    settle();
    if (used_ != 0) {
        static_cast<void>(os::discard(room_, used_));  // open() looked that it can be
    }
    used_ = 0;
    away_count_ = 0;
}

/// The pages are as others: who writes to them does not wait.
void MeshWindow::let_go(char* pages, std::size_t bytes) noexcept {
    uffdio_range range = range_of(pages, bytes);
    static_cast<void>(control(descriptor_, UFFDIO_UNREGISTER, &range));
    wake(descriptor_, pages, bytes);
}

/// The kernel reports who touches the pages. Where they become a mapping of their own, it may refuse.
bool MeshWindow::watch(const char* pages, std::size_t bytes, std::uint64_t mode) noexcept {
    uffdio_register request{.range = range_of(pages, bytes), .mode = mode, .ioctls = 0};
    const long result = control(descriptor_, UFFDIO_REGISTER, &request);
    lacks_mappings_ = lacks_mappings_ || (os::is_failure(result) && os::errno_of(result) == ENOMEM);
    return !os::is_failure(result);
}

MeshWindow::Moved MeshWindow::move_out(const Away& away) noexcept {
    if (!watch(away.pages, away.bytes, UFFDIO_REGISTER_MODE_MISSING)) {
        return Moved::refused;
    }
    std::size_t done = 0;
    unsigned refused = 0;
    while (done < away.bytes) {
        MoveRequest request{.to = address_of(room_) + away.at + done,
                            .from = address_of(away.pages) + done,
                            .bytes = away.bytes - done,
                            .mode = kMoveOverHoles};
        const long result = control(descriptor_, kMove, &request);
        if (!os::is_failure(result)) {
            return Moved::all;
        }
        if (request.moved > 0) {
            done += static_cast<std::size_t>(request.moved);
            continue;
        }
        if (os::errno_of(result) != EAGAIN || ++refused == kPatience) {
            put_back(away, done);
            return os::errno_of(result) == EBUSY ? Moved::busy : Moved::refused;
        }
        settle();
    }
    return Moved::all;
}

/// The first `count` bytes go home. They are nobody else's, so that only the moment can be wrong: it is tried until it succeeds.
void MeshWindow::put_back(const Away& away, std::size_t count) noexcept {
    std::size_t done = 0;
    while (done < count) {
        const std::uint64_t to = address_of(away.pages) + done;
        const std::uint64_t from = address_of(room_) + away.at + done;
        MoveRequest request{.to = to, .from = from, .bytes = count - done, .mode = kMoveOverHoles};
        const long result = control(descriptor_, kMove, &request);
        if (!os::is_failure(result)) {
            break;
        }
        if (request.moved > 0) {
            done += static_cast<std::size_t>(request.moved);
            continue;
        }
        settle();
        uffdio_copy copy{.dst = to, .src = from, .len = os::kPageBytes, .mode = 0, .copy = 0};
        const long copied = control(descriptor_, UFFDIO_COPY, &copy);
        if (!os::is_failure(copied) || os::errno_of(copied) == EEXIST) {
            done += os::kPageBytes;
        } else {
            os::sleep_ns(100'000);  // no memory for the moment
        }
    }
    settle();
    let_go(away.pages, away.bytes);
    static_cast<void>(os::discard(room_ + away.at, away.bytes));  // what is left are copies
}

const char* MeshWindow::take_out(char* pages, std::size_t bytes) noexcept {
    if (used_ + bytes > kRoomBytes) {
        empty_room();
    }
    is_held_ = false;
    const Away away{.pages = pages, .at = used_, .bytes = bytes};
    away_[away_count_++] = away;  // first: a child may be forked in the middle
    Moved moved = move_out(away);
    // Shared with a child since a fork, or held for a transfer. The former ends when the page is written to.
    if (moved == Moved::busy && !os::is_failure(os::raw_syscall(SYS_madvise, pages, bytes, kPopulateForWriting))) {
        moved = move_out(away);
    }
    if (moved != Moved::all) {
        --away_count_;
        return nullptr;
    }
    used_ += bytes;
    return room_ + away.at;
}

/// Whether all pages are the file's: present, and not the mapping's own copy.
bool MeshWindow::are_shared(char* pages, std::size_t bytes) noexcept {
    constexpr std::uint64_t kPresentAndOfFile = std::uint64_t{5} << 61;  // as the kernel's documentation of pagemap has them
    if (page_map_ < 0) {
        page_map_ = os::raw_syscall(SYS_openat, AT_FDCWD, "/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    }
    std::array<std::uint64_t, kSliceBytes / os::kPageBytes> words{};
    const auto length = static_cast<long>(bytes / os::kPageBytes * sizeof(words[0]));
    const std::uint64_t offset = address_of(pages) / os::kPageBytes * sizeof(words[0]);
    if (page_map_ < 0 || os::raw_syscall(SYS_pread64, page_map_, words.data(), length, offset) != length) {
        return false;
    }
    for (std::size_t page = 0; page < bytes / os::kPageBytes; ++page) {
        if ((words[page] & kPresentAndOfFile) != kPresentAndOfFile) {
            return false;
        }
    }
    return true;
}

bool MeshWindow::hold(char* pages, std::size_t bytes) noexcept {
    is_held_ = true;
    if (os::is_failure(os::raw_syscall(SYS_madvise, pages, bytes, kPopulateForReading)) || !watch(pages, bytes, UFFDIO_REGISTER_MODE_WP)) {
        return false;
    }
    uffdio_writeprotect request{.range = range_of(pages, bytes), .mode = UFFDIO_WRITEPROTECT_MODE_WP};
    long result = control(descriptor_, UFFDIO_WRITEPROTECT, &request);
    for (unsigned tries = 0; os::is_failure(result) && os::errno_of(result) == EAGAIN && tries < kPatience; ++tries) {
        settle();
        result = control(descriptor_, UFFDIO_WRITEPROTECT, &request);
    }
    if (os::is_failure(result) || !are_shared(pages, bytes)) {
        let_go(pages, bytes);
        return false;
    }
    return true;
}

bool MeshWindow::map_over(char* pages, std::size_t bytes, int file, std::size_t offset) noexcept {
    const long result =
        os::raw_syscall(SYS_mmap, pages, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, file, offset);
    if (!os::is_failure(result)) {
        wake(descriptor_, pages, bytes);
        return true;
    }
    lacks_mappings_ = lacks_mappings_ || os::errno_of(result) == ENOMEM;
    if (is_held_) {
        let_go(pages, bytes);
    } else {
        const Away& away = away_[away_count_ - 1];
        put_back(away, away.bytes);
        used_ -= away.bytes;
        --away_count_;
    }
    return false;
}

bool map_anonymous_over(char* pages, std::size_t bytes) noexcept {
    const long result =
        os::raw_syscall(SYS_mmap, pages, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (os::is_failure(result)) {
        return false;
    }
    os::name_pages(pages, bytes, "heapwright heap");  // as its neighbours, so that the kernel joins them
    return true;
}

}  // namespace heapwright::heap
