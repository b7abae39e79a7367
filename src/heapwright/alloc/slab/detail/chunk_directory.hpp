// A slab's chunks by number, and what must be remembered of those that went back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

#include <heapwright/base/block_source.hpp>
#include <heapwright/base/platform.hpp>

namespace heapwright::detail {

/// A table with an entry for every number that a chunk ever had.
///
///   SD1  vacant_ leads through all numbers without a chunk whose places still have generations, and through no others
///
/// An entry outlives its chunk: the first generation of the next chunk of this number lies above all that the last one
/// used, which is why a key never comes alive again although the memory that knew it is gone.
template <class Chunk, class Generation>
class ChunkDirectory {
public:
    static constexpr std::uint32_t kNone = ~std::uint32_t{0};

    ChunkDirectory(SourceRef source, std::uint32_t most) noexcept : source_(source), most_(most) {}
    ChunkDirectory(const ChunkDirectory&) = delete;
    ChunkDirectory& operator=(const ChunkDirectory&) = delete;
    ~ChunkDirectory() {
        if (entries_ != nullptr) {
            source_.deallocate(entries_, layout_of(room_));
        }
    }

    /// Returns:  nullptr when no chunk has this number.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE Chunk* chunk_of(std::uint32_t number) const noexcept {
        return HEAPWRIGHT_LIKELY(number < count_) ? entries_[number].chunk : nullptr;
    }

    /// Returns:  the number that the next chunk shall have; kNone when the source refuses a larger table or none is left.
    [[nodiscard]] std::uint32_t next_number() noexcept {
        if (vacant_ != kNone) {
            return vacant_;
        }
        return count_ < room_ || grow() ? count_ : kNone;
    }
    [[nodiscard]] bool is_used_up() const noexcept { return vacant_ == kNone && count_ == most_; }

    /// What the places of a chunk with this number begin with.
    [[nodiscard]] Generation first_generation(std::uint32_t number) const noexcept {
        return number < count_ ? entries_[number].first : Generation{2};
    }

    /// Requires: `number` is what next_number() gave.
    void enter(std::uint32_t number, Chunk* chunk) noexcept {
        if (number == count_) {
            ::new (static_cast<void*>(entries_ + count_)) Entry{.chunk = chunk, .first = 2, .next_vacant = kNone};
            ++count_;
        } else {
            vacant_ = entries_[number].next_vacant;
            entries_[number].chunk = chunk;
        }
    }

    /// The chunk of this number is going back; `first` is the generation to go on with, 0 when none is left.
    void leave(std::uint32_t number, Generation first) noexcept {
        entries_[number] = {.chunk = nullptr, .first = first, .next_vacant = kNone};
        if (first != 0) {
            entries_[number].next_vacant = vacant_;
            vacant_ = number;
        }
    }

    [[nodiscard]] std::size_t owned_bytes() const noexcept { return room_ == 0 ? 0 : layout_of(room_).size; }

    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() const noexcept {
        std::size_t vacant = 0;
        for (std::uint32_t number = 0; number < count_; ++number) {
            vacant += entries_[number].chunk == nullptr && entries_[number].first != 0 ? 1U : 0U;
        }
        for (std::uint32_t number = vacant_; number != kNone; number = entries_[number].next_vacant, --vacant) {
            if (number >= count_ || entries_[number].chunk != nullptr || entries_[number].first == 0 || vacant == 0) {
                return "SD1: the list of vacant numbers holds one that is not vacant";
            }
        }
        return vacant == 0 ? nullptr : "SD1: a vacant number is not on the list";
    }

private:
    struct Entry {
        Chunk* chunk;
        Generation first;           // of the next chunk's places; 0: there will be none
        std::uint32_t next_vacant;  // while there is no chunk
    };

    [[nodiscard]] static Layout layout_of(std::size_t entries) noexcept {
        return {.size = entries * sizeof(Entry), .alignment = alignof(Entry)};
    }

    [[nodiscard]] HEAPWRIGHT_COLD bool grow() noexcept {
        const std::uint32_t larger = room_ == 0 ? 8 : room_ > most_ / 2 ? most_ : room_ * 2;
        if (larger == room_) {
            return false;
        }
        auto* const entries = static_cast<Entry*>(source_.try_allocate(layout_of(larger)));
        if (entries == nullptr) {
            return false;
        }
        if (entries_ != nullptr) {
            __builtin_memcpy(entries, entries_, count_ * sizeof(Entry));
            source_.deallocate(entries_, layout_of(room_));
        }
        entries_ = entries;
        room_ = larger;
        return true;
    }

    Entry* entries_ = nullptr;
    std::uint32_t count_ = 0;
    std::uint32_t room_ = 0;
    std::uint32_t vacant_ = kNone;  // numbers whose chunk went back
    SourceRef source_;
    std::uint32_t most_;
};

}  // namespace heapwright::detail
