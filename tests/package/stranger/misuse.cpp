// Frees a block twice, as somebody does who has read nothing but the front door.
#include <heapwright/pool.hpp>

int main() {
    heapwright::os::PageSource pages;
    heapwright::Pool pool{{.size = 48, .alignment = 16}, pages};
    void* const block = pool.try_allocate();
    pool.deallocate(block);
    pool.deallocate(block);
    return 0;
}
