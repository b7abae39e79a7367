// Which addresses are slabs of this pool: the reason why a foreign pointer is refused without touching what it points to.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <heapwright/base/block_source.hpp>
#include <heapwright/base/platform.hpp>

namespace heapwright::detail {

/// A set of slab addresses: open addressing, at most half full, so that the first look mostly decides.
///
///   D1  count entries are not kEmpty, and at most half are
///   D2  every entry is reached from its home without meeting kEmpty
class SlabDirectory {
public:
    explicit SlabDirectory(SourceRef source) noexcept : few_(), source_(source) { few_.fill(kEmpty); }
    SlabDirectory(const SlabDirectory&) = delete;
    SlabDirectory& operator=(const SlabDirectory&) = delete;
    ~SlabDirectory() { drop_table(); }

    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool contains(std::uintptr_t slab) const noexcept {
        const std::size_t home = home_of(slab);
        if (HEAPWRIGHT_LIKELY(table_[home] == slab)) {
            return true;
        }
        return contains_slow(slab, home);
    }

    /// Returns:  false when the table had to grow and the source refused.
    [[nodiscard]] bool insert(std::uintptr_t slab) noexcept {
        if ((count_ + 1) * 2 > mask_ + 1 && !grow()) {
            return false;
        }
        place(slab);
        ++count_;
        return true;
    }

    /// Requires: `slab` is in it.
    void erase(std::uintptr_t slab) noexcept {
        std::size_t hole = home_of(slab);
        while (table_[hole] != slab) {
            hole = (hole + 1) & mask_;
        }
        // Entries behind the hole move into it where their way from home leads across it (D2).
        for (std::size_t next = (hole + 1) & mask_; table_[next] != kEmpty; next = (next + 1) & mask_) {
            if (((next - home_of(table_[next])) & mask_) >= ((next - hole) & mask_)) {
                table_[hole] = table_[next];
                hole = next;
            }
        }
        table_[hole] = kEmpty;
        --count_;
    }

    [[nodiscard]] std::size_t count() const noexcept { return count_; }

    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() const noexcept {
        std::size_t found = 0;
        for (std::size_t index = 0; index <= mask_; ++index) {
            if (table_[index] != kEmpty) {
                ++found;
                if (!contains(table_[index])) {
                    return "D2: a slab cannot be found in the directory";
                }
            }
        }
        return found != count_ || count_ * 2 > mask_ + 1 ? "D1: the directory's count is wrong, or it is too full" : nullptr;
    }

private:
    static constexpr std::uintptr_t kEmpty = 1;  // no slab has an odd address
    static constexpr std::size_t kFew = 8;

    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::size_t home_of(std::uintptr_t slab) const noexcept {
        // 2^32 less its golden section, so that neighbouring slabs land far apart whatever their size; below 2^31, so that
        // the multiplication takes it as an immediate operand.
        return ((static_cast<std::uint64_t>(slab) * 0x61C8'8647U) >> 32) & mask_;
    }

    HEAPWRIGHT_NOINLINE bool contains_slow(std::uintptr_t slab, std::size_t home) const noexcept {
        for (std::size_t index = home; table_[index] != kEmpty; index = (index + 1) & mask_) {
            if (table_[index] == slab) {
                return true;
            }
        }
        return false;
    }

    void place(std::uintptr_t slab) noexcept {
        std::size_t index = home_of(slab);
        while (table_[index] != kEmpty) {
            index = (index + 1) & mask_;
        }
        table_[index] = slab;
    }

    [[nodiscard]] static Layout layout_of(std::size_t entries) noexcept {
        return {.size = entries * sizeof(std::uintptr_t), .alignment = alignof(std::uintptr_t)};
    }

    [[nodiscard]] HEAPWRIGHT_COLD bool grow() noexcept {
        const std::size_t entries = (mask_ + 1) * 4;  // twice as many for twice as few growths: an eighth full
        auto* const larger = static_cast<std::uintptr_t*>(source_.try_allocate(layout_of(entries)));
        if (larger == nullptr) {
            return false;
        }
        for (std::size_t index = 0; index < entries; ++index) {
            larger[index] = kEmpty;
        }
        std::uintptr_t* const smaller = table_;
        const std::size_t old_entries = mask_ + 1;
        table_ = larger;
        mask_ = entries - 1;
        for (std::size_t index = 0; index < old_entries; ++index) {
            if (smaller[index] != kEmpty) {
                place(smaller[index]);
            }
        }
        if (smaller != few_.data()) {
            source_.deallocate(smaller, layout_of(old_entries));
        }
        return true;
    }

    void drop_table() noexcept {
        if (table_ != few_.data()) {
            source_.deallocate(table_, layout_of(mask_ + 1));
        }
    }

    std::array<std::uintptr_t, kFew> few_;  // the table of a small pool; before table_, which points to it
    std::uintptr_t* table_ = few_.data();
    std::size_t mask_ = kFew - 1;
    std::size_t count_ = 0;
    SourceRef source_;
};

}  // namespace heapwright::detail
