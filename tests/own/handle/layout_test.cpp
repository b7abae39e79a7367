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
    for (std::size_t size_class = 2; size_class < kLongClasses; ++size_class) {
        if (size_class >= kExactClasses && size_class < kFirstCoarseClass) {
            continue;
        }
        CHECK(class_of(slot_bytes_of(size_class)) == size_class);
        CHECK(slot_bytes_of(size_class) % 8 == 0);
        sizes.insert(slot_bytes_of(size_class));
    }
    CHECK(sizes.size() == kLongClasses - 4);
}

TEST_CASE("objects with short headers fit their slots and waste at most 3 bytes up to 128, and 7 up to 1 KiB") {
    std::size_t wrong = 0;
    for (std::size_t bytes = 1; bytes <= kLargestShort; ++bytes) {
        const std::size_t size_class = short_class_for(bytes);
        const std::size_t slot = slot_bytes_of(size_class);
        wrong += !is_short_class(size_class) || size_class >= kClassCount || header_bytes_of(size_class) != kShortHeaderBytes ? 1U : 0U;
        wrong += slot < bytes + kShortHeaderBytes || slot % kShortAlignment != 0 ? 1U : 0U;
        wrong += bytes >= 8 && slot - bytes - kShortHeaderBytes >= (bytes <= kFineShort ? 4U : 8U) ? 1U : 0U;
    }
    CHECK(wrong == 0);
}

TEST_CASE("the halves of headers say the same of pins as the whole, and which kind they are") {
    alignas(8) std::byte place[16] = {};
    std::byte* const payload = place + 8;
    const std::uint64_t pins = Header::kOnePin * Header::kMostPins;
    const std::uint64_t owner = Header::kOwnerMask << Header::kOwnerShift;
    header_of(payload).store((std::uint64_t{Header::kTypes - 1} << Header::kTypeShift) + owner + pins + Header::kBoxed);
    CHECK(!is_short(upper_of(payload).load()));
    CHECK(pins_in(upper_of(payload).load()) == Header::kMostPins);
    CHECK(Header::type(header_of(payload).load()) == Header::kTypes - 1);
    CHECK(Header::owner(header_of(payload).load()) == Header::kOwnerMask);
    upper_of(payload).store(ShortHeader::kShort + ShortHeader::kMany * ShortHeader::kOnePin +
                            ShortHeader::of_name(ShortHeader::kNames - 1));
    CHECK(is_short(upper_of(payload).load()));
    CHECK(pins_in(upper_of(payload).load()) == ShortHeader::kMany);
    std::size_t wrong = 0;
    for (std::uint32_t name = 0; name < ShortHeader::kNames; name += 12'345) {
        const std::uint32_t header = ShortHeader::kShort + 3 * ShortHeader::kOnePin + ShortHeader::of_name(name);
        wrong += ShortHeader::name(header) != name || ShortHeader::pins(header) != 3 || !is_short(header) ? 1U : 0U;
    }
    CHECK(wrong == 0);
}

TEST_CASE("the slot of an offset is found by a product, for every slot of every size") {
    std::size_t wrong = 0;
    for (std::size_t size_class = 2; size_class < kClassCount; ++size_class) {
        Chunk chunk{};
        const std::size_t slot_bytes = slot_bytes_of(size_class);
        if (slot_bytes < 12) {
            continue;  // never used
        }
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
