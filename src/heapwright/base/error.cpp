// The names of the kinds of error.
#include <heapwright/base/error.hpp>

namespace heapwright {

const char* name_of(Errc kind) noexcept {
    switch (kind) {
        case Errc::out_of_memory: return "out of memory";
        case Errc::limit_reached: return "limit reached";
        case Errc::overflow: return "overflow";
        case Errc::invalid_argument: return "invalid argument";
        case Errc::not_found: return "not found";
        case Errc::permission_denied: return "permission denied";
        case Errc::io_failed: return "input or output failed";
        case Errc::disk_full: return "disk full";
        case Errc::damaged_data: return "damaged data";
        case Errc::unsupported_version: return "unsupported version";
        case Errc::unsupported: return "unsupported";
        case Errc::timed_out: return "timed out";
        case Errc::child_failed: return "child failed";
    }
    return "unknown error";
}

}  // namespace heapwright
