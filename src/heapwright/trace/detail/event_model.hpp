// What encoder and decoder both know after each event of a chunk, and therefore need not write down.
//
// Both sides start a chunk with an empty model and tell it every event. An allocator answers with what was freed before;
// a program asks at the same place for what it asked for last time. The model turns that into guesses; the columns carry
// only what the guesses missed. Deliberately small: it is asked at every event, inside somebody else's program, and the
// compressor behind it finds what is regular but not guessed. docs/format.md states the rules for other readers: a change
// here is a change of the format.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <heapwright/base/platform.hpp>
#include <heapwright/trace/event.hpp>

namespace heapwright::trace::detail {

/// How an event's address is written; two bits of its op byte.
///
///                 allocate, resize_to                            release, resize_from
enum class AddressMode : std::uint8_t {
    expected = 0,  // the address released last                      the address allocated last
                   // (resize_to of a block: its old address)
    next = 1,      // just behind the last allocation                as many events ago as for the last release
    distance = 2,  // that of the event so many before this one (column `distances`), both alike
    delta = 3,     // difference to the address allocated last       difference to the address released last
};  // (column `addresses`)                           (column `addresses`)

/// The names in the low four bits of an op byte: a Call, or one of these.
inline constexpr std::uint8_t kOpResizeFrom = 11;
inline constexpr std::uint8_t kOpRare = 15;  // the op and what is unusual about it stand in column `rare`

inline constexpr std::uint8_t kOpMask = 0x0F;
inline constexpr unsigned kOpModeShift = 4;
inline constexpr std::uint8_t kOpUsual = 0x40;    // stack and size as expected; release: the sized delete told the truth
inline constexpr std::uint8_t kOpStamped = 0x80;  // column `ticks` has this event's step

/// Flags beside the op in column `rare`; their values follow in this order.
inline constexpr std::uint8_t kRareTouched = 0x10;
inline constexpr std::uint8_t kRareAlignment = 0x20;
inline constexpr std::uint8_t kRareClaimed = 0x40;     // release: the size that the program claimed
inline constexpr std::uint8_t kRareOldAddress = 0x80;  // resize_to: the old address, when it is not that of the event before

/// In column `addresses`: the next number is the address itself. Otherwise unused: a difference of 0 is written as 0.
inline constexpr std::uint64_t kDeltaEscape = 1;

/// Events farther back are not named by their distance.
inline constexpr std::uint32_t kWindow = 8192;

/// What was met at each stack, or after it. Empty at the start of a chunk.
struct ModelTables {
    static constexpr std::size_t kSlots = 1024;
    struct Slot {
        std::uint64_t size;  // the last of a context
        StackId next_stack;  // after this stack came that one
    };
    std::array<Slot, kSlots> slots{};
};

/// Small enough to be worked on as a copy, in registers; the tables stay where they are.
class EventModel {
public:
    EventModel() noexcept = default;
    /// The model at the start of a chunk. Requires: `tables` are empty, and outlive all copies of this.
    explicit EventModel(ModelTables& tables) noexcept : tables_(&tables) {}

    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE StackId expected_stack() const noexcept {
        return tables_->slots[slot_of(last_stack_)].next_stack;
    }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::uint64_t expected_size(StackId stack) const noexcept {
        return tables_->slots[context_of(stack)].size;
    }
    /// The size of the request noted last.
    [[nodiscard]] std::uint64_t last_size() const noexcept { return last_size_; }
    [[nodiscard]] std::uint64_t allocated_last() const noexcept { return allocated_last_; }
    [[nodiscard]] std::uint64_t released_last() const noexcept { return released_last_; }
    [[nodiscard]] std::uint64_t behind_last() const noexcept { return behind_last_; }
    [[nodiscard]] std::uint32_t last_distance() const noexcept { return last_distance_; }

    HEAPWRIGHT_ALWAYS_INLINE void note_request(StackId stack, std::uint64_t size) noexcept {
        tables_->slots[slot_of(last_stack_)].next_stack = stack;
        tables_->slots[context_of(stack)].size = size;
        last_stack_ = stack;
        older_size_ = last_size_;
        last_size_ = size;
    }
    /// A block at `address`; nothing changes when it is 0, the allocator's refusal.
    HEAPWRIGHT_ALWAYS_INLINE void note_allocated(std::uint64_t address, std::uint64_t size) noexcept {
        if (HEAPWRIGHT_LIKELY(address != 0)) {
            allocated_last_ = address;
            behind_last_ = address + ((size + 23) & ~std::uint64_t{15});  // glibc: 8 bytes before it, in steps of 16
        }
    }
    HEAPWRIGHT_ALWAYS_INLINE void note_released(std::uint64_t address) noexcept { released_last_ = address; }
    void note_distance(std::uint32_t distance) noexcept { last_distance_ = distance; }

private:
    static constexpr std::size_t kSlots = ModelTables::kSlots;

    [[nodiscard]] static std::size_t slot_of(StackId stack) noexcept { return static_cast<std::size_t>(stack) % kSlots; }
    /// Where the size of a request is looked up: by its stack; without stacks, by the two sizes before.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::size_t context_of(StackId stack) const noexcept {
        return stack != StackId::none ? slot_of(stack) : static_cast<std::size_t>((last_size_ * 31 + older_size_) % kSlots);
    }

    StackId last_stack_{};
    std::uint32_t last_distance_ = 0;  // of a release that was written by its distance
    std::uint64_t last_size_ = 0;
    std::uint64_t older_size_ = 0;
    std::uint64_t allocated_last_ = 0;
    std::uint64_t released_last_ = 0;
    std::uint64_t behind_last_ = 0;
    ModelTables* tables_ = nullptr;
};

}  // namespace heapwright::trace::detail
