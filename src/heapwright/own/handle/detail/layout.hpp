// Where things lie in a heap of movable objects.
//
//   chunk of 256 KiB, cut into slots of one size              slot
//   ┌──────────┬──────┬──────┬──────┬─ ─ ─ ─┬──────┐          ┌────────────┬───────────────────────┐
//   │ live bits│ slot │ slot │ slot │       │ slot │          │ header, 8 B│ object                │
//   └──────────┴──────┴──────┴──────┴─ ─ ─ ─┴──────┘          └─────┬──────┴───────────────────────┘
//        pages behind the last slot ever used are untouched         └─► who owns it: a box, or a name in the name table
//
// The header says who owns the object, so that whoever moves it can tell the one place that knows where it is.
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
/// Larger objects have chunks of their own and stay where they are: their pages go back one by one.
inline constexpr std::size_t kLargestSlot = std::size_t{32} << 10;
inline constexpr std::size_t kLargestAlignment = 64;
inline constexpr std::size_t kBitsPerWord = 64;
static_assert(kChunkBytes % os::kPageBytes == 0);

/// An object's header, one word.
///
///   bit 0   1: a box owns it   0: a name in the table does
///   1..44   the box's address / 8, or the name's number; 0: nobody yet, it is being made
///   45..53  how it is moved: a number of detail/types.hpp
///   54..63  pins
struct Header {
    static constexpr unsigned kOwnerShift = 1;
    static constexpr unsigned kTypeShift = 45;
    static constexpr unsigned kPinShift = 54;
    static constexpr std::uint64_t kBoxed = 1;
    static constexpr std::uint64_t kOwnerMask = (std::uint64_t{1} << (kTypeShift - kOwnerShift)) - 1;
    static constexpr std::uint64_t kTypes = std::uint64_t{1} << (kPinShift - kTypeShift);
    static constexpr std::uint64_t kOnePin = std::uint64_t{1} << kPinShift;
    static constexpr std::uint64_t kMostPins = (std::uint64_t{1} << (64 - kPinShift)) - 2;  // one below what would overflow

    [[nodiscard]] static constexpr std::uint64_t pins(std::uint64_t word) noexcept { return word >> kPinShift; }
    [[nodiscard]] static constexpr std::uint64_t owner(std::uint64_t word) noexcept { return (word >> kOwnerShift) & kOwnerMask; }
    [[nodiscard]] static constexpr std::uint64_t type(std::uint64_t word) noexcept { return (word >> kTypeShift) & (kTypes - 1); }
    [[nodiscard]] static constexpr bool is_boxed(std::uint64_t word) noexcept { return (word & kBoxed) != 0; }
};
static_assert(Header::kOnePin * (Header::kMostPins + 1) > Header::kOnePin);

/// The header of the object at `payload`. Pins come and go while others read it.
[[nodiscard]] inline std::atomic_ref<std::uint64_t> header_of(void* payload) noexcept {
    return std::atomic_ref<std::uint64_t>(*reinterpret_cast<std::uint64_t*>(static_cast<std::byte*>(payload) - kHeaderBytes));
}

// ---- sizes of slots: every multiple of 8 up to kExactSlot, then 32 to each doubling

inline constexpr std::size_t kSmallestSlot = 16;
inline constexpr std::size_t kExactSlot = 1088;
inline constexpr std::size_t kExactClasses = kExactSlot / 8 + 1;     // the first two are never used,
inline constexpr std::size_t kFirstCoarseClass = kExactClasses + 2;  // and two that would have the sizes of exact ones
inline constexpr std::size_t kClassCount = kExactClasses + std::size_t{5} * 32;

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
    const std::size_t above = size_class - kExactClasses;
    return (above % 32 + 33) << (above / 32 + 5);
}
static_assert(slot_bytes_of(class_of(kLargestSlot)) == kLargestSlot && class_of(kLargestSlot) == kClassCount - 1);
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

}  // namespace heapwright::movable
