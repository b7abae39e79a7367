// Which addresses are slabs of this pool: the reason why a foreign pointer is refused without touching what it points to.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>

#include <heapwright/base/block_source.hpp>
#include <heapwright/base/platform.hpp>

namespace heapwright::detail {

/// A set of slab addresses: open addressing, at most half full, so that the first look mostly decides.
///
///   D1  count entries are slabs, and at most half are
///   D2  every slab is reached from its home without meeting kEmpty
///
/// Entries never move, and a table that grew is kept while others may read it: so contains() needs no lock.
/// Thread safety: any thread for contains(); one at a time for the others.
class SlabDirectory {
public:
    explicit SlabDirectory(SourceRef source) noexcept : source_(source) {}
    SlabDirectory(const SlabDirectory&) = delete;
    SlabDirectory& operator=(const SlabDirectory&) = delete;
    ~SlabDirectory() {
        drop_retired();
        drop(newest());
    }

    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool contains(std::uintptr_t slab) const noexcept {
        // Acquire pairs with the release in grow(): a table is written before it is seen. A plain load on x86.
        const Table* const table = table_.load(std::memory_order_acquire);
        const std::size_t home = home_of(slab, table->mask);
        // Relaxed: whoever asks for a slab got a block of it after it was entered.
        if (HEAPWRIGHT_LIKELY(table->entries()[home].load(std::memory_order_relaxed) == slab)) {
            return true;
        }
        return contains_slow(table, slab, home);
    }

    /// Returns:  false when the table had to grow and the source refused.
    [[nodiscard]] bool insert(std::uintptr_t slab) noexcept {
        if ((count_ + 1) * 2 > newest()->mask + 1 && !grow()) {
            return false;
        }
        place(newest(), slab);
        ++count_;
        return true;
    }

    /// Requires: `slab` is in it.
    void erase(std::uintptr_t slab) noexcept {
        Table* const table = newest();
        std::size_t at = home_of(slab, table->mask);
        while (at_index(table, at) != slab) {
            at = (at + 1) & table->mask;
        }
        --count_;
        set_index(table, at, kErased);
        // Nothing lies behind an erased entry that is followed by an empty one, so it may be empty as well (D2).
        while (at_index(table, at) == kErased && at_index(table, (at + 1) & table->mask) == kEmpty) {
            set_index(table, at, kEmpty);
            at = (at - 1) & table->mask;
        }
    }

    /// Returns tables that have been replaced.
    ///
    /// Requires: no other thread is in contains().
    void drop_retired() noexcept {
        while (retired_ != nullptr) {
            Table* const table = retired_;
            retired_ = table->retired;
            drop(table);
        }
    }

    [[nodiscard]] std::size_t count() const noexcept { return count_; }

    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() const noexcept {
        const Table* const table = newest();
        std::size_t found = 0;
        for (std::size_t index = 0; index <= table->mask; ++index) {
            const std::uintptr_t entry = at_index(table, index);
            if (entry != kEmpty && entry != kErased) {
                ++found;
                if (!contains(entry)) {
                    return "D2: a slab cannot be found in the directory";
                }
            }
        }
        return found != count_ || count_ * 2 > table->mask + 1 ? "D1: the directory's count is wrong, or it is too full" : nullptr;
    }

private:
    // No slab has an odd address.
    static constexpr std::uintptr_t kEmpty = 1;
    static constexpr std::uintptr_t kErased = 3;
    static constexpr std::size_t kFew = 8;

    using Entry = std::atomic<std::uintptr_t>;

    struct Table {
        std::size_t mask;  // one less than the entries that follow, a power of two
        Table* retired;    // the one that was replaced before this one

        [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE Entry* entries() noexcept { return reinterpret_cast<Entry*>(this + 1); }
        [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE const Entry* entries() const noexcept { return reinterpret_cast<const Entry*>(this + 1); }
    };
    struct FewTable : Table {
        Entry few[kFew];  // NOLINT(*-avoid-c-arrays): must lie where entries() looks
    };
    static_assert(sizeof(FewTable) == sizeof(Table) + kFew * sizeof(Entry) && sizeof(Entry) == sizeof(std::uintptr_t));

    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE static std::size_t home_of(std::uintptr_t slab, std::size_t mask) noexcept {
        // 2^32 less its golden section, so that neighbouring slabs land far apart whatever their size; below 2^31, so that
        // the multiplication takes it as an immediate operand.
        return ((static_cast<std::uint64_t>(slab) * 0x61C8'8647U) >> 32) & mask;
    }

    // Relaxed, in all three: only one thread writes, under its owner's lock; contains() says why it needs no order.
    [[nodiscard]] Table* newest() const noexcept { return table_.load(std::memory_order_relaxed); }
    [[nodiscard]] static std::uintptr_t at_index(const Table* table, std::size_t index) noexcept {
        return table->entries()[index].load(std::memory_order_relaxed);
    }
    static void set_index(Table* table, std::size_t index, std::uintptr_t entry) noexcept {
        table->entries()[index].store(entry, std::memory_order_relaxed);
    }

    HEAPWRIGHT_NOINLINE static bool contains_slow(const Table* table, std::uintptr_t slab, std::size_t home) noexcept {
        for (std::size_t index = home, looks = 0; looks <= table->mask; index = (index + 1) & table->mask, ++looks) {
            const std::uintptr_t entry = at_index(table, index);
            if (entry == slab) {
                return true;
            }
            if (entry == kEmpty) {
                return false;
            }
        }
        return false;
    }

    static void place(Table* table, std::uintptr_t slab) noexcept {
        std::size_t index = home_of(slab, table->mask);
        while (at_index(table, index) != kEmpty && at_index(table, index) != kErased) {
            index = (index + 1) & table->mask;
        }
        set_index(table, index, slab);
    }

    static void clear(Table* table, std::size_t entries) noexcept {
        table->mask = entries - 1;
        table->retired = nullptr;
        for (std::size_t index = 0; index < entries; ++index) {
            ::new (static_cast<void*>(table->entries() + index)) Entry{kEmpty};
        }
    }

    [[nodiscard]] static Layout layout_of(std::size_t entries) noexcept {
        return {.size = sizeof(Table) + entries * sizeof(Entry), .alignment = alignof(Table)};
    }

    [[nodiscard]] HEAPWRIGHT_COLD bool grow() noexcept {
        Table* const smaller = newest();
        const std::size_t entries = (smaller->mask + 1) * 4;
        void* const memory = source_.try_allocate(layout_of(entries));
        if (memory == nullptr) {
            return false;
        }
        auto* const larger = ::new (memory) Table;
        clear(larger, entries);
        for (std::size_t index = 0; index <= smaller->mask; ++index) {
            const std::uintptr_t entry = at_index(smaller, index);
            if (entry != kEmpty && entry != kErased) {
                place(larger, entry);
            }
        }
        smaller->retired = retired_;
        retired_ = smaller;
        table_.store(larger, std::memory_order_release);  // pairs with the acquire in contains()
        return true;
    }

    void drop(Table* table) noexcept {
        if (table != &few_) {
            source_.deallocate(table, layout_of(table->mask + 1));
        }
    }

    /// The table of a small pool.
    static FewTable make_few() noexcept {
        return {{.mask = kFew - 1, .retired = nullptr}, {kEmpty, kEmpty, kEmpty, kEmpty, kEmpty, kEmpty, kEmpty, kEmpty}};
    }

    FewTable few_ = make_few();
    std::atomic<Table*> table_{&few_};
    Table* retired_ = nullptr;
    std::size_t count_ = 0;
    SourceRef source_;
};

}  // namespace heapwright::detail
