// A source whose try_allocate may throw is no source.
// expect: SourceRef
#include <heapwright/base/block_source.hpp>

struct Source {
#ifdef HEAPWRIGHT_CONTROL
    void* try_allocate(heapwright::Layout) noexcept { return nullptr; }
#else
    void* try_allocate(heapwright::Layout) { return nullptr; }
#endif
    void deallocate(void*, heapwright::Layout) noexcept {}
};
Source source;
void use() { [[maybe_unused]] const heapwright::SourceRef view = source; }
