// A library that is loaded late and has its blocks from another one, which was there before.
#include <cstddef>
#include <cstdlib>

extern "C" void* make_in_library(std::size_t bytes);

extern "C" __attribute__((visibility("default"))) int plugin_entry(int number) {
    for (std::size_t at = 0; at < 50; ++at) {
        void* const block = make_in_library(100 + at);
        if (block == nullptr) {
            return 1;
        }
        std::free(block);
    }
    return number;
}
