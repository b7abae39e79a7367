// A tool that never frees what it builds and exits, as compilers and linkers do: growing is all that counts.
#include <bench/malloc/workload.hpp>

namespace {

struct Entry {
    Entry* before;
    std::size_t size;
};

}  // namespace

int main(int count, char** words) {
    const workload::Scale scale{count, words};
    workload::Random random{11};
    Entry* last = nullptr;
    for (std::size_t i = 0; i < scale.of(6'000'000); ++i) {
        const std::size_t size = sizeof(Entry) + (i % 64 == 0 ? random.size_between(256, 8192) : random.below(56));
        auto* entry = static_cast<Entry*>(workload::given(std::malloc(size)));
        entry->before = last;
        entry->size = size;
        last = entry;
    }
    std::uint64_t checksum = 0;
    for (; last != nullptr; last = last->before) {
        checksum = checksum * 31 + last->size;
    }
    return workload::finish(checksum);
}
