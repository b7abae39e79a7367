// Uses what is installed, through the front doors.
#include <cstdio>

#include <heapwright/error.hpp>
#include <heapwright/layout.hpp>

int main() {
    const auto rows = heapwright::Layout::of<double>().repeat(3);
    if (!rows) {
        std::printf("%s\n", heapwright::name_of(rows.error().kind));
        return 1;
    }
    std::printf("three doubles take %zu bytes\n", rows->layout.size);
    return rows->layout.size == 24 ? 0 : 1;
}
