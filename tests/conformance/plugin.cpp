// A library that malloc_moments loads, uses and unloads: blocks cross its border in both directions.
#include <cstdlib>
#include <cstring>

namespace {

void* own_block = nullptr;
thread_local char thread_bytes[3000];

__attribute__((constructor)) void begin() { own_block = std::malloc(12345); }
__attribute__((destructor)) void end() { std::free(own_block); }

}  // namespace

#define PLUGIN_EXPORT extern "C" __attribute__((visibility("default")))

PLUGIN_EXPORT void* plugin_take(std::size_t bytes) { return std::malloc(bytes); }
PLUGIN_EXPORT void plugin_give(void* block) { std::free(block); }
PLUGIN_EXPORT void* plugin_thread(void*) {
    std::memset(thread_bytes, 1, sizeof(thread_bytes));
    for (std::size_t size = 1; size < 100000; size = size * 2 + 1) {
        void* block = std::malloc(size);
        std::memset(block, 1, size);
        std::free(block);
    }
    return nullptr;
}
