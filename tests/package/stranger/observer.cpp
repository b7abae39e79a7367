// Reads traces with the installed reader; here, one that is not there.
#include <cstdio>

#include <heapwright/trace/read/reader.hpp>

int main() {
    const auto reader = heapwright::trace::Reader::open("no such file.hwtrace");
    if (reader) {
        return 1;
    }
    std::printf("no trace: %s\n", heapwright::name_of(reader.error().kind));
    return 0;
}
