// mmap, mprotect, madvise, munmap, mincore and prctl, by raw system calls.
#include <heapwright/os/pages.hpp>

#include <cerrno>

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <heapwright/base/bits.hpp>
#include <heapwright/base/check.hpp>
#include <heapwright/os/syscall.hpp>

namespace heapwright::os {
namespace {

// ThreadSanitizer forgets who wrote to a page only if it sees the page come and go through libc: otherwise two threads
// that get the same addresses one after the other look like a race.
#if HEAPWRIGHT_UNDER_TSAN
void* map_anonymous(std::size_t bytes, int protection, int more_flags) noexcept {
    void* const start = ::mmap(nullptr, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | more_flags, -1, 0);
    return start == MAP_FAILED ? nullptr : start;
}
long unmap(void* start, std::size_t bytes) noexcept { return ::munmap(start, bytes) == 0 ? 0 : -errno; }
#else
void* map_anonymous(std::size_t bytes, int protection, int more_flags) noexcept {
    const long result = raw_syscall(SYS_mmap, nullptr, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | more_flags, -1, 0);
    return is_failure(result) ? nullptr : reinterpret_cast<void*>(result);
}
long unmap(void* start, std::size_t bytes) noexcept { return raw_syscall(SYS_munmap, start, bytes); }
#endif

void check_whole_pages(const void* start, std::size_t bytes) noexcept {
    HEAPWRIGHT_CHECK(is_aligned(start, kPageBytes) && is_aligned(bytes, kPageBytes), "page operations take whole OS pages");
}

}  // namespace

void* reserve(std::size_t bytes, std::size_t alignment, const char* name) noexcept {
    HEAPWRIGHT_CHECK(is_power_of_two(alignment) && alignment >= kPageBytes,
                     "a reservation's alignment is a power of two of at least one OS page");
    HEAPWRIGHT_CHECK(bytes > 0 && is_aligned(bytes, kPageBytes), "a reservation is whole OS pages");
    std::size_t wanted = 0;
    if (add_overflows(bytes, alignment - kPageBytes, &wanted)) {
        return nullptr;
    }
    // NORESERVE: addresses must not count against the overcommit limit.
    auto* start = static_cast<std::byte*>(map_anonymous(wanted, PROT_NONE, MAP_NORESERVE));
    if (start == nullptr) {
        return nullptr;
    }
    // The kernel aligns to pages only: take more, cut both ends off.
    std::byte* aligned = align_up(start, alignment);
    const auto before = static_cast<std::size_t>(aligned - start);
    const std::size_t after = wanted - bytes - before;
    if (before > 0) {
        release(start, before);
    }
    if (after > 0) {
        release(aligned + bytes, after);
    }
    name_pages(aligned, bytes, name);
    return aligned;
}

bool commit(void* start, std::size_t bytes) noexcept {
    check_whole_pages(start, bytes);
    return !is_failure(raw_syscall(SYS_mprotect, start, bytes, PROT_READ | PROT_WRITE));
}

bool decommit(void* start, std::size_t bytes) noexcept {
    check_whole_pages(start, bytes);
    // In this order a racing touch faults instead of bringing a page back.
    return !is_failure(raw_syscall(SYS_mprotect, start, bytes, PROT_NONE)) && discard(start, bytes);
}

bool discard(void* start, std::size_t bytes) noexcept {
    check_whole_pages(start, bytes);
    return !is_failure(raw_syscall(SYS_madvise, start, bytes, MADV_DONTNEED));
}

void release(void* start, std::size_t bytes) noexcept {
    check_whole_pages(start, bytes);
    const long result = unmap(start, bytes);
    // ENOMEM is honest: cutting a hole can need a mapping more than the process may have. The pages stay, unused.
    HEAPWRIGHT_CHECK(!is_failure(result) || errno_of(result) == 12, "pages to release were not mapped");
}

void* map_pages(std::size_t bytes, const char* name) noexcept {
    const std::size_t rounded = round_to_pages(bytes);
    if (rounded == 0) {
        return nullptr;
    }
    void* start = map_anonymous(rounded, PROT_READ | PROT_WRITE, 0);
    if (start != nullptr) {
        name_pages(start, rounded, name);
    }
    return start;
}

void* map_observer_pages(std::size_t bytes, const char* name) noexcept {
    void* const start = map_pages(bytes, name);
    if (start != nullptr) {
        mark_observer_pages(start, round_to_pages(bytes));
    }
    return start;
}

void mark_observer_pages(void* start, std::size_t bytes) noexcept {
    // Two pieces of advice that say nothing about anonymous memory, and that nobody gives together. Refused, the pages are
    // as good without.
    static_cast<void>(raw_syscall(SYS_madvise, start, bytes, MADV_DONTDUMP));
    static_cast<void>(raw_syscall(SYS_madvise, start, bytes, MADV_RANDOM));
}

void name_pages(void* start, std::size_t bytes, const char* name) noexcept {
#ifndef PR_SET_VMA
    constexpr int PR_SET_VMA = 0x53564d41;
    constexpr int PR_SET_VMA_ANON_NAME = 0;
#endif
    if (name != nullptr) {
        // A kernel that cannot name mappings refuses; the mapping is as good without.
        static_cast<void>(raw_syscall(SYS_prctl, PR_SET_VMA, PR_SET_VMA_ANON_NAME, start, bytes, name));
    }
}

long resident_pages(const void* start, std::size_t bytes) noexcept {
    HEAPWRIGHT_CHECK(is_aligned(start, kPageBytes), "page operations take whole OS pages");
    unsigned char present[4096];  // one byte a page: 16 MiB at a time
    const auto* cursor = static_cast<const std::byte*>(start);
    std::size_t left = round_to_pages(bytes);
    long count = 0;
    while (left > 0) {
        const std::size_t step = left < sizeof present * kPageBytes ? left : sizeof present * kPageBytes;
        const long result = raw_syscall(SYS_mincore, cursor, step, static_cast<unsigned char*>(present));
        if (is_failure(result)) {
            return result;
        }
        for (std::size_t page = 0; page < step / kPageBytes; ++page) {
            count += present[page] & 1;  // NOLINT(clang-analyzer-core.UndefinedBinaryOperatorResult): the kernel wrote it
        }
        cursor += step;
        left -= step;
    }
    return count;
}

}  // namespace heapwright::os
