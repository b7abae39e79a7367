// Aligned blocks by every way to ask for them: vectors at 32 and 64 bytes, pages at 4096, larger ones now and then.
#include <new>

#include <bench/malloc/workload.hpp>

namespace {

enum class Way : std::uint8_t { none, aligned, posix, operator_new };

struct Aligned {
    workload::Block block;
    std::size_t alignment = 0;
    Way way = Way::none;
};

Aligned make(Way way, std::size_t alignment, std::size_t size, std::uint64_t tag) {
    void* at = nullptr;
    switch (way) {
        case Way::aligned: at = std::aligned_alloc(alignment, size); break;
        case Way::posix:
            if (posix_memalign(&at, alignment, size) != 0) {
                at = nullptr;
            }
            break;
        default: at = ::operator new(size, std::align_val_t{alignment}); break;
    }
    workload::given(at);
    if (reinterpret_cast<std::uintptr_t>(at) % alignment != 0) {
        workload::fail("a block is not aligned as was asked");
    }
    workload::mark(at, size, tag);
    return {{at, size}, alignment, way};
}

std::uint64_t release(Aligned& place) {
    std::uint64_t value = 0;
    if (place.way == Way::operator_new) {
        value = workload::mixed(workload::tag_of(place.block.at, place.block.size) + place.block.size);
        ::operator delete(place.block.at, place.block.size, std::align_val_t{place.alignment});
    } else {
        value = workload::release(place.block);
    }
    place.way = Way::none;
    return value;
}

}  // namespace

int main(int count, char** words) {
    const workload::Scale scale{count, words};
    workload::Random random{15};
    std::vector<Aligned> table(6000);
    std::uint64_t checksum = 0;
    for (std::size_t i = 0; i < scale.of(4'000'000); ++i) {
        const std::size_t alignment = i % 200 == 0 ? 4096 : i % 50 == 0 ? 1024 : std::size_t{32} << random.below(3);
        const std::size_t multiple = 1 + random.below(alignment > 512 ? 4 : 12);
        Aligned& place = table[random.below(table.size())];
        checksum += release(place);
        place = make(static_cast<Way>(1 + random.below(3)), alignment, alignment * multiple, i);
    }
    for (Aligned& place : table) {
        checksum += release(place);
    }
    return workload::finish(checksum);
}
