// A library that moments.cpp loads, uses and unloads.
#include <cstdlib>
#include <cstring>

extern "C" __attribute__((visibility("default"))) int plugin_entry(int number) {
    int sum = 0;
    for (int at = 0; at < 50; ++at) {
        char* block = static_cast<char*>(std::malloc(static_cast<std::size_t>(100 + at)));
        std::memset(block, number, 100);
        sum += block[at];
        std::free(block);
    }
    return sum;
}
