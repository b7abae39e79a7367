// mmap and munmap of the program itself, for `--mappings`.
#include <cerrno>
#include <cstddef>

#include <sys/mman.h>
#include <sys/syscall.h>

#include "real.hpp"

#include <heapwright/base/platform.hpp>
#include <heapwright/os/syscall.hpp>
#include <heapwright/trace/record/hot_path.hpp>
#include <heapwright/trace/stack/call_site.hpp>

namespace {

using namespace heapwright;
using trace::record::recorder;

/// The allocator's own mappings are not the program's: they would be counted twice.
bool is_wanted(const trace::record::CallSite& site) noexcept {
    return recorder.is_running() && recorder.options().mappings && !recorder.is_allocator_code(site.return_address);
}

void* map(void* start, std::size_t bytes, int protection, int flags, int descriptor, off_t offset) noexcept {
    if (preload::real.mmap != nullptr) {
        return preload::real.mmap(start, bytes, protection, flags, descriptor, offset);
    }
    const long result = os::raw_syscall(SYS_mmap, start, bytes, protection, flags, descriptor, offset);
    if (os::is_failure(result)) {
        errno = os::errno_of(result);
        return MAP_FAILED;
    }
    return reinterpret_cast<void*>(result);
}

void note(void* start, std::size_t bytes, int flags, const trace::record::CallSite& site) noexcept {
    if (start != MAP_FAILED && (flags & MAP_ANONYMOUS) != 0 && is_wanted(site)) {
        trace::record::note_rare_allocation({.call = trace::Call::map, .alignment_log2 = 0, .size = bytes}, start, site);
    }
}

}  // namespace

extern "C" {

HEAPWRIGHT_EXPORT void* mmap(void* start, std::size_t bytes, int protection, int flags, int descriptor, off_t offset) {
    void* result = map(start, bytes, protection, flags, descriptor, offset);
    note(result, bytes, flags, trace::stack::call_site_here());
    return result;
}

HEAPWRIGHT_EXPORT void* mmap64(void* start, std::size_t bytes, int protection, int flags, int descriptor, off64_t offset) {
    void* result = map(start, bytes, protection, flags, descriptor, offset);
    note(result, bytes, flags, trace::stack::call_site_here());
    return result;
}

HEAPWRIGHT_EXPORT int munmap(void* start, std::size_t bytes) {
    if (is_wanted(trace::stack::call_site_here())) {
        trace::record::note_unmap(start, bytes);
    }
    if (preload::real.munmap != nullptr) {
        return preload::real.munmap(start, bytes);
    }
    const long result = os::raw_syscall(SYS_munmap, start, bytes);
    if (os::is_failure(result)) {
        errno = os::errno_of(result);
        return -1;
    }
    return 0;
}

}  // extern "C"
