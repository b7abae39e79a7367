#include <heapwright/own/handle/heap.hpp>

namespace heapwright {

Result<void> MovableHeap::can_make(const MovableHeapOptions& options) noexcept {
    movable::Store* const store = movable::Store::make(options);
    if (store == nullptr) {
        return fail_with(Errc::out_of_memory, options.address_bytes);
    }
    movable::Store::destroy(store);
    return {};
}

}  // namespace heapwright
