// Links one module by its own name, without the others.
#include <cstdio>

#include <heapwright/os/pages.hpp>

int main() {
    void* pages = heapwright::os::map_pages(heapwright::os::kPageBytes, "stranger");
    if (pages == nullptr) {
        return 1;
    }
    static_cast<char*>(pages)[0] = 1;
    std::printf("%ld page resident\n", heapwright::os::resident_pages(pages, heapwright::os::kPageBytes));
    heapwright::os::release(pages, heapwright::os::kPageBytes);
    return 0;
}
