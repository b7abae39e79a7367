#include <heapwright/own/handle/detail/layout.hpp>

#include <set>

#include <doctest/doctest.h>

#include <heapwright/own/handle/detail/chunks.hpp>
#include <heapwright/own/handle/detail/types.hpp>

namespace heapwright::movable::test {

TEST_CASE("every object fits its slot, wastes at most 7 bytes up to 1 KiB and a thirty-second above, and is aligned") {
    std::size_t wrong = 0;
    for (std::size_t bytes = 1; bytes + kHeaderBytes <= kLargestSlot; ++bytes) {
        const std::size_t slot = slot_bytes_of(class_for(bytes, 8));
        wrong += slot < bytes + kHeaderBytes || slot > kLargestSlot ? 1U : 0U;
        wrong += bytes >= 8 && bytes <= 1024 && slot - bytes - kHeaderBytes >= 8 ? 1U : 0U;
        wrong += bytes > 1024 && (slot - bytes - kHeaderBytes) * 32 > slot ? 1U : 0U;
    }
    for (std::size_t alignment = 1; alignment <= kLargestAlignment; alignment *= 2) {
        for (std::size_t bytes = 1; bytes + kHeaderBytes + kLargestAlignment <= kLargestSlot; bytes += 7) {
            const std::size_t slot = slot_bytes_of(class_for(bytes, alignment));
            wrong += slot % alignment != 0 || slot < bytes + kHeaderBytes ? 1U : 0U;
        }
    }
    CHECK(wrong == 0);
}

TEST_CASE("classes and sizes of slots are each other's inverse") {
    std::set<std::size_t> sizes;
    for (std::size_t size_class = 2; size_class < kClassCount; ++size_class) {
        if (size_class >= kExactClasses && size_class < kFirstCoarseClass) {
            continue;
        }
        CHECK(class_of(slot_bytes_of(size_class)) == size_class);
        CHECK(slot_bytes_of(size_class) % 8 == 0);
        sizes.insert(slot_bytes_of(size_class));
    }
    CHECK(sizes.size() == kClassCount - 4);
}

TEST_CASE("the slot of an offset is found by a product, for every slot of every size") {
    std::size_t wrong = 0;
    for (std::size_t size_class = 2; size_class < kClassCount; ++size_class) {
        Chunk chunk{};
        const std::size_t slot_bytes = slot_bytes_of(size_class);
        chunk.slot_bytes = static_cast<std::uint16_t>(slot_bytes);
        chunk.first = 1400;
        chunk.reciprocal = static_cast<std::uint32_t>(((std::uint64_t{1} << 35) + slot_bytes - 1) / slot_bytes);
        for (std::uint32_t slot = 0; chunk.offset_of(slot + 1) <= kChunkBytes; ++slot) {
            wrong += chunk.slot_at(chunk.offset_of(slot)) != slot ? 1U : 0U;
            wrong += chunk.slot_at(chunk.offset_of(slot + 1) - 1) != slot ? 1U : 0U;
        }
    }
    CHECK(wrong == 0);
}

TEST_CASE("a way to move has one number, and bytes have none") {
    struct Moved {
        Moved() = default;
        Moved(Moved&& /*other*/) noexcept {}
        ~Moved() {}
    };
    struct Other {
        Other() = default;
        Other(Other&& /*other*/) noexcept {}
        ~Other() {}
    };
    CHECK(type_of<int>() == kBytesType);
    CHECK((mover_of(kBytesType) == nullptr));
    CHECK(type_of<Moved>() == type_of<Moved>());
    CHECK(type_of<Moved>() != type_of<Other>());
    CHECK((mover_of(type_of<Moved>()) != nullptr));
}

}  // namespace heapwright::movable::test
