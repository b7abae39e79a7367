// Where things lie in a heap of movable objects.
//
//   chunk of 256 KiB, cut into slots of one size              slot
//   ┌──────────┬──────┬──────┬──────┬─ ─ ─ ─┬──────┐          ┌────────────┬───────────────────────┐
//   │ live bits│ slot │ slot │ slot │       │ slot │          │ header, 8 B│ object                │
//   └──────────┴──────┴──────┴──────┴─ ─ ─ ─┴──────┘          └─────┬──────┴───────────────────────┘
//        pages behind the last slot ever used are untouched         └─► who owns it: a box, or a name in the name table
//
// The header says who owns the object, so that whoever moves it can tell the one place that knows where it is. Small objects with
// a name that are moved as bytes and need no alignment beyond 4 have a header of 4 bytes, in chunks of their own.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <heapwright/base/bits.hpp>
#include <heapwright/os/pages.hpp>

namespace heapwright::movable {

inline constexpr unsigned kChunkShift = 18;
inline constexpr std::size_t kChunkBytes = std::size_t{1} << kChunkShift;
inline constexpr std::size_t kHeaderBytes = 8;
inline constexpr std::size_t kShortHeaderBytes = 4;
/// Larger objects have chunks of their own and stay where they are: their pages go back one by one.
inline constexpr std::size_t kLargestSlot = std::size_t{32} << 10;
inline constexpr std::size_t kLargestAlignment = 64;
inline constexpr std::size_t kBitsPerWord = 64;
static_assert(kChunkBytes % os::kPageBytes == 0);

/// An object's header, one word.
///
///   bit 0   1: a box owns it   0: a name in the table does
///   1..44   the box's address / 8, or the name's number; 0: nobody yet, it is being made
///   45..52  how it is moved: a number of detail/types.hpp
///   53      0: it is no short one
///   54..63  pins
struct Header {
    static constexpr unsigned kOwnerShift = 1;
    static constexpr unsigned kTypeShift = 45;
    static constexpr unsigned kShortShift = 53;
    static constexpr unsigned kPinShift = 54;
    static constexpr std::uint64_t kBoxed = 1;
    static constexpr std::uint64_t kOwnerMask = (std::uint64_t{1} << (kTypeShift - kOwnerShift)) - 1;
    static constexpr std::uint64_t kTypes = std::uint64_t{1} << (kShortShift - kTypeShift);
    static constexpr std::uint64_t kOnePin = std::uint64_t{1} << kPinShift;
    static constexpr std::uint64_t kMostPins = (std::uint64_t{1} << (64 - kPinShift)) - 2;  // one below what would overflow

    [[nodiscard]] static constexpr std::uint64_t owner(std::uint64_t word) noexcept { return (word >> kOwnerShift) & kOwnerMask; }
    [[nodiscard]] static constexpr std::uint64_t type(std::uint64_t word) noexcept { return (word >> kTypeShift) & (kTypes - 1); }
    [[nodiscard]] static constexpr bool is_boxed(std::uint64_t word) noexcept { return (word & kBoxed) != 0; }
};
static_assert(Header::kOnePin * (Header::kMostPins + 1) > Header::kOnePin);

/// A short header: half a word, where the upper half of the others is. Always a name owns the object, and it is moved as bytes.
///
///   bit 0..20, 22..26  the name's number; 0: nobody yet, it is being made
///   21                 1: it is one
///   27..31             pins; 31 of them: how many there are says detail/many_pins.hpp
struct ShortHeader {
    static constexpr std::uint32_t kShort = std::uint32_t{1} << (Header::kShortShift - 32);
    static constexpr unsigned kPinShift = 27;
    static constexpr std::uint32_t kNames = std::uint32_t{1} << (kPinShift - 1);  // numbers that it has room for
    static constexpr std::uint32_t kOnePin = std::uint32_t{1} << kPinShift;
    static constexpr std::uint32_t kMany = 31;

    [[nodiscard]] static constexpr std::uint32_t name(std::uint32_t half) noexcept {
        return (half & (kShort - 1)) | (half % kOnePin / (2 * kShort) * kShort);
    }
    /// A name's number where a header has it.
    [[nodiscard]] static constexpr std::uint32_t of_name(std::uint32_t name) noexcept {
        return (name & (kShort - 1)) | (name / kShort * (2 * kShort));
    }
    [[nodiscard]] static constexpr std::uint32_t pins(std::uint32_t half) noexcept { return half >> kPinShift; }
};
static_assert(ShortHeader::name(ShortHeader::of_name(ShortHeader::kNames - 1) | ShortHeader::kShort) == ShortHeader::kNames - 1);

/// The upper half of the header of the object at `payload`, or all of a short one: a bit says which, for as long as the object
/// lives. Pins are counted here; they come and go while others read it.
[[nodiscard]] inline std::atomic_ref<std::uint32_t> upper_of(void* payload) noexcept {
    return std::atomic_ref<std::uint32_t>(*reinterpret_cast<std::uint32_t*>(static_cast<std::byte*>(payload) - kShortHeaderBytes));
}
[[nodiscard]] constexpr bool is_short(std::uint32_t upper) noexcept { return (upper & ShortHeader::kShort) != 0; }
inline constexpr auto kOnePinInUpper = static_cast<std::uint32_t>(Header::kOnePin >> 32);  // of a long one
/// Not 0 where there are any.
[[nodiscard]] constexpr std::uint32_t pins_in(std::uint32_t upper) noexcept {
    return is_short(upper) ? ShortHeader::pins(upper) : upper >> (Header::kPinShift - 32);
}

/// The header of the object at `payload`. Requires: it is no short one.
[[nodiscard]] inline std::atomic_ref<std::uint64_t> header_of(void* payload) noexcept {
    return std::atomic_ref<std::uint64_t>(*reinterpret_cast<std::uint64_t*>(static_cast<std::byte*>(payload) - kHeaderBytes));
}

/// Gives an object with a long header that is made its owner: the pin that kept it while it was nobody's goes.
/// Requires: nobody else knows the object.
inline void settle_long(std::byte* payload, std::uint64_t owner) noexcept {
    const std::uint64_t header = header_of(payload).load(std::memory_order_relaxed) + owner;  // the maker's own, until the store below
    header_of(payload).store(header, std::memory_order_relaxed);                              // as above
    // Release pairs with the acquire of who looks whether the object may move: it is seen whole.
    upper_of(payload).store(static_cast<std::uint32_t>((header - Header::kOnePin) >> 32), std::memory_order_release);
}
/// The same of a short header.
inline void settle_short(std::byte* payload, std::uint32_t name) noexcept {
    upper_of(payload).store(ShortHeader::kShort | ShortHeader::of_name(name), std::memory_order_release);  // as above
}

// ---- sizes of slots: every multiple of 8 up to kExactSlot, then 32 to each doubling

inline constexpr std::size_t kSmallestSlot = 16;
inline constexpr std::size_t kExactSlot = 1088;
inline constexpr std::size_t kExactClasses = kExactSlot / 8 + 1;     // the first two are never used,
inline constexpr std::size_t kFirstCoarseClass = kExactClasses + 2;  // and two that would have the sizes of exact ones
inline constexpr std::size_t kLongClasses = kExactClasses + std::size_t{5} * 32;
// With short headers: for every multiple of 4 up to kFineShort bytes of an object, and of 8 up to kLargestShort.
inline constexpr std::size_t kFineShort = 128;
inline constexpr std::size_t kLargestShort = 1024;
inline constexpr std::size_t kShortAlignment = 4;
inline constexpr std::size_t kFineClasses = kFineShort / 4 + 1;  // the first two are never used
inline constexpr std::size_t kClassCount = kLongClasses + kFineClasses + (kLargestShort - kFineShort) / 8;

[[nodiscard]] constexpr bool is_short_class(std::size_t size_class) noexcept { return size_class >= kLongClasses; }
[[nodiscard]] constexpr std::size_t header_bytes_of(std::size_t size_class) noexcept {
    return is_short_class(size_class) ? kShortHeaderBytes : kHeaderBytes;
}

[[nodiscard]] constexpr std::size_t class_of(std::size_t slot_bytes) noexcept {
    if (slot_bytes <= kExactSlot) {
        return (slot_bytes + 7) / 8;
    }
    const unsigned step = log2_floor(slot_bytes - 1) - 5;
    return kExactClasses + std::size_t{step - 5} * 32 + ((slot_bytes - 1) >> step) - 32;
}
[[nodiscard]] constexpr std::size_t slot_bytes_of(std::size_t size_class) noexcept {
    if (size_class < kExactClasses) {
        return size_class * 8;
    }
    if (is_short_class(size_class)) {
        const std::size_t kind = size_class - kLongClasses;
        return kShortHeaderBytes + (kind < kFineClasses ? kind * 4 : kFineShort + (kind - kFineClasses + 1) * 8);
    }
    const std::size_t above = size_class - kExactClasses;
    return (above % 32 + 33) << (above / 32 + 5);
}
static_assert(slot_bytes_of(class_of(kLargestSlot)) == kLargestSlot && class_of(kLargestSlot) == kLongClasses - 1);
static_assert(slot_bytes_of(class_of(kExactSlot)) == kExactSlot && slot_bytes_of(class_of(kExactSlot + 1)) == 1120);

/// The class for an object. Requires: alignment is a power of two up to kLargestAlignment, and the object fits kLargestSlot.
[[nodiscard]] constexpr std::size_t class_for(std::size_t bytes, std::size_t alignment) noexcept {
    const std::size_t least = bytes + kHeaderBytes < kSmallestSlot ? kSmallestSlot : bytes + kHeaderBytes;
    const std::size_t unit = alignment < 8 ? 8 : alignment;
    std::size_t size_class = class_of(align_up(least, unit));
    while (slot_bytes_of(size_class) % unit != 0) {
        ++size_class;
    }
    return size_class;
}
/// The class with short headers for an object. Requires: at most kLargestShort bytes, and no alignment beyond kShortAlignment.
[[nodiscard]] constexpr std::size_t short_class_for(std::size_t bytes) noexcept {
    const std::size_t least = bytes < 8 ? 8 : bytes;
    return kLongClasses + (least <= kFineShort ? (least + 3) / 4 : kFineClasses + (least - kFineShort + 7) / 8 - 1);
}
static_assert(slot_bytes_of(short_class_for(kFineShort)) == kFineShort + kShortHeaderBytes);
static_assert(slot_bytes_of(short_class_for(kFineShort + 1)) == kFineShort + 8 + kShortHeaderBytes);
static_assert(slot_bytes_of(kClassCount - 1) == kLargestShort + kShortHeaderBytes && short_class_for(kLargestShort) == kClassCount - 1);

}  // namespace heapwright::movable
