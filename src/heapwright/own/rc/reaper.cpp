// The thread's parked objects.
#include <heapwright/own/rc/detail/reaper.hpp>

namespace heapwright::detail {

constinit thread_local Reaper t_reaper;

void Reaper::run() noexcept {
    while (top != nullptr) {
        Parked& parked = *top;
        if (parked.first == nullptr && parked.watched == nullptr) {
            top = parked.next;
            parked.is_listed = false;
            continue;
        }
        parked.reap(parked);
    }
}

}  // namespace heapwright::detail
