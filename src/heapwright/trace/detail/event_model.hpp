// What encoder and decoder both know after each event of a chunk, and therefore need not write down.
//
// Both sides start a chunk with an empty model and tell it every event. An allocator's answers follow from what was
// freed before; a program's requests follow from what it asked last time at the same place. The model turns that
// into guesses; the columns carry only what the guesses missed. docs/format.md states the rules for other readers:
// a change here is a change of the format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <heapwright/trace/event.hpp>

namespace heapwright::trace::detail {

/// How an event's address is written; two bits of its op byte.
///
///                 allocate, resize_to                                  release, resize_from
enum class AddressMode : std::uint8_t {
    expected = 0,  // the last released block of this size class          the newest allocation still live
                   // (resize_to: the old address)
    next = 1,      // just behind the last allocation                     the same step on from the last release's number
    distance = 2,  // that many releases ago (column `distances`)         that many allocations ago (column `distances`)
    delta = 3,     // difference to the last allocation of this class     difference to the last release's address
};                 // (column `addresses`)                                (column `addresses`)

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
inline constexpr std::uint8_t kRareOldAddress = 0x80;  // resize_to: the old address, when resize_from is not the event before

/// In column `addresses`: the next number is the address itself. Otherwise unused: a difference of 0 is written as 0.
inline constexpr std::uint64_t kDeltaEscape = 1;

class EventModel {
public:
    static constexpr std::uint32_t kRecent = 4096;   // allocations that a release may name by number
    static constexpr std::uint32_t kReleased = 1024; // releases that an allocation may name by number
    static constexpr std::uint32_t kNone = ~std::uint32_t{0};

    void reset() noexcept { std::memset(static_cast<void*>(this), 0, sizeof(*this)); }

    // What is expected -------------------------------------------------------------------------------------------

    [[nodiscard]] StackId expected_stack() const noexcept { return next_stack_[slot_of(last_stack_)]; }
    [[nodiscard]] std::uint64_t expected_size(StackId stack) const noexcept { return size_at_[context_of(stack)]; }

    /// Address of the block of this size class that was released last; 0 when none is known.
    [[nodiscard]] std::uint64_t expected_reuse(std::uint64_t size) const noexcept {
        const ClassStack& stack = classes_[class_of(size)];
        return stack.count == 0 ? 0 : stack.addresses[(stack.top - 1) % kClassDepth];
    }
    [[nodiscard]] std::uint64_t expected_next() const noexcept { return next_address_; }
    [[nodiscard]] std::uint64_t delta_base(std::uint64_t size) const noexcept {
        const std::uint64_t base = classes_[class_of(size)].last_address;
        return base != 0 ? base : last_allocated_;
    }

    /// Number of the newest allocation that is live, as far as a short look finds it.
    [[nodiscard]] std::uint32_t newest() const noexcept { return newest_; }
    [[nodiscard]] std::uint32_t step_on() const noexcept { return last_number_ + last_step_; }
    [[nodiscard]] std::uint64_t last_released() const noexcept { return last_released_; }

    [[nodiscard]] std::uint32_t allocations() const noexcept { return allocations_; }
    [[nodiscard]] std::uint32_t releases() const noexcept { return releases_; }

    /// Address of allocation `number` of this chunk; 0 when it was released, is too long ago or never was.
    [[nodiscard]] std::uint64_t address_of(std::uint32_t number) const noexcept {
        return is_recent(number) ? recent_[number % kRecent].address : 0;
    }
    [[nodiscard]] std::uint64_t size_of(std::uint32_t number) const noexcept { return recent_[number % kRecent].size; }
    [[nodiscard]] std::uint64_t released_before(std::uint32_t distance) const noexcept {
        return distance < releases_ && distance < kReleased ? released_[(releases_ - 1 - distance) % kReleased] : 0;
    }

    // What happened ----------------------------------------------------------------------------------------------

    void note_request(StackId stack, std::uint64_t size) noexcept {
        next_stack_[slot_of(last_stack_)] = stack;
        size_at_[context_of(stack)] = size;
        last_stack_ = stack;
        older_size_ = last_size_;
        last_size_ = size;
    }

    void note_allocation(std::uint64_t address, std::uint64_t size, AddressMode mode) noexcept {
        ClassStack& stack = classes_[class_of(size)];
        if (mode == AddressMode::expected) {
            --stack.count;
            --stack.top;
        } else if (mode == AddressMode::distance) {
            remove(stack, address);
        }
        enter(address, size, stack);
    }

    /// A resize_to that kept its address.
    void note_kept(std::uint64_t address, std::uint64_t size) noexcept { enter(address, size, classes_[class_of(size)]); }

    /// `number`: the allocation that is released, or kNone when it is not among the recent ones.
    void note_release(std::uint64_t address, std::uint32_t number) noexcept {
        note_vacated(address, number);
        note_departure(address, number);
    }

    /// The place that a resize_from left is free: its resize_to went elsewhere.
    void note_vacated(std::uint64_t address, std::uint32_t number) noexcept {
        if (number != kNone) {
            push(classes_[class_of(size_of(number))], address);
        }
        released_[releases_ % kReleased] = address;
        ++releases_;
    }

    /// The block left its place, which is not free yet: resize_from.
    void note_departure(std::uint64_t address, std::uint32_t number) noexcept {
        last_released_ = address;
        if (number == kNone) {
            return;
        }
        recent_[number % kRecent].address = 0;
        last_step_ = number - last_number_;
        last_number_ = number;
        for (std::uint32_t look = 0; look < kLookBack && newest_ == number; ++look) {
            --number;
            newest_ = number;
            if (address_of(number) != 0) {
                break;
            }
        }
    }

private:
    static constexpr std::uint32_t kClasses = 128;    // of 16 bytes, the last for all larger sizes
    static constexpr std::uint32_t kClassDepth = 8;
    static constexpr std::uint32_t kStackSlots = 1024;
    static constexpr std::uint32_t kLookBack = 8;

    struct Recent {
        std::uint64_t address;
        std::uint64_t size;
    };
    struct ClassStack {
        std::uint64_t addresses[kClassDepth];
        std::uint64_t last_address;
        std::uint32_t top;
        std::uint32_t count;
    };

    /// 16-byte steps with 8 bytes of header, as glibc cuts them; other allocators' classes are unions of these.
    [[nodiscard]] static std::size_t class_of(std::uint64_t size) noexcept {
        const std::uint64_t index = (size + 7) >> 4;
        return static_cast<std::size_t>(index < kClasses ? index : kClasses - 1);
    }
    [[nodiscard]] static std::size_t slot_of(StackId stack) noexcept { return static_cast<std::size_t>(stack) % kStackSlots; }
    /// Where the size of a request is looked up: by its stack; without stacks, by the two sizes before.
    [[nodiscard]] std::size_t context_of(StackId stack) const noexcept {
        if (stack != StackId::none) {
            return slot_of(stack);
        }
        return static_cast<std::size_t>((last_size_ * 31 + older_size_) % kStackSlots);
    }
    [[nodiscard]] bool is_recent(std::uint32_t number) const noexcept {
        return allocations_ - 1 - number < kRecent && number < allocations_;
    }

    void enter(std::uint64_t address, std::uint64_t size, ClassStack& stack) noexcept {
        recent_[allocations_ % kRecent] = {address, size};
        newest_ = allocations_;
        ++allocations_;
        last_allocated_ = address;
        stack.last_address = address;
        const std::uint64_t rounded = (size + 23) & ~std::uint64_t{15};
        next_address_ = address + (rounded < 32 ? 32 : rounded);
    }

    static void push(ClassStack& stack, std::uint64_t address) noexcept {
        stack.addresses[stack.top % kClassDepth] = address;
        ++stack.top;
        if (stack.count < kClassDepth) {
            ++stack.count;
        }
    }

    /// Takes an address out of the middle; those pushed after it move down.
    static void remove(ClassStack& stack, std::uint64_t address) noexcept {
        std::uint32_t depth = 1;
        while (depth <= stack.count && stack.addresses[(stack.top - depth) % kClassDepth] != address) {
            ++depth;
        }
        if (depth > stack.count) {
            return;
        }
        for (; depth > 1; --depth) {
            stack.addresses[(stack.top - depth) % kClassDepth] = stack.addresses[(stack.top - depth + 1) % kClassDepth];
        }
        --stack.top;
        --stack.count;
    }

    std::uint32_t allocations_;
    std::uint32_t releases_;
    std::uint32_t newest_;
    std::uint32_t last_number_;
    std::uint32_t last_step_;
    StackId last_stack_;
    std::uint64_t last_size_;
    std::uint64_t older_size_;
    std::uint64_t last_allocated_;
    std::uint64_t last_released_;
    std::uint64_t next_address_;
    StackId next_stack_[kStackSlots];
    std::uint64_t size_at_[kStackSlots];
    ClassStack classes_[kClasses];
    std::uint64_t released_[kReleased];
    Recent recent_[kRecent];
};

}  // namespace heapwright::trace::detail
