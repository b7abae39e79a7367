// An append-only array whose elements are found again by their key: no locks, no gaps, no second copy of a key.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <heapwright/base/platform.hpp>
#include <heapwright/os/pages.hpp>

namespace heapwright::trace::stack {

/// Records numbered from 1 in the order of their making, plus an index (open addressing) from key to number.
///
///   records_  | - | 1 | 2 | 3 | 4 | . . .  reserved addresses, committed step by step
///   slots     | 0 | 3 | 0 | 1 | 4 | 0 | 2 |  numbers at hash(key); the whole index is replaced by a larger one
///
///   I1  records 1 to count() have a key; each is in the newest index
///   I2  a record beyond count() + 1 has no key
///
/// Making record n is: claim it by writing its key (compare-and-swap), enter it in the index, raise the count to n. Any
/// thread that finds n claimed but not counted does the remaining steps itself, so nobody waits for anybody, a thread
/// that stops anywhere (or is missing after fork) leaves no hole, and a claimer has seen every key before its own.
/// The one exception: while a larger index is being filled, two threads may each make a record for one key. Both are
/// valid and the later one is never found again.
///
/// `Record` is zero-initialised memory with a member `std::atomic<std::uint64_t> key`, never 0 in use.
///
/// Thread safety: any thread.
template <class Record>
class InternTable {
public:
    constexpr InternTable() noexcept = default;
    InternTable(const InternTable&) = delete;
    InternTable& operator=(const InternTable&) = delete;

    /// Requires: not open. Halves `max_records` as long as the kernel refuses the addresses.
    /// Fails:    false when not even kFewest records fit.
    [[nodiscard]] bool open(std::uint32_t max_records, unsigned first_slots_log2, const char* name) noexcept;

    /// Requires: no other thread uses the table.
    void close() noexcept;

    [[nodiscard]] bool is_open() const noexcept { return records_ != nullptr; }

    /// The table at one moment, for searches in a loop: the compiler need not load it again for each. Records made later
    /// may be missing in it.
    struct View {
        Record* records;
        std::atomic<std::uint32_t>* slots;
        std::uint32_t mask;
        std::uint32_t shift;

        [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::uint32_t find(std::uint64_t key) const noexcept {
            for (std::uint32_t at = static_cast<std::uint32_t>((key * kMultiplier) >> shift);; ++at) {
                // Acquire pairs with the release in enter(): the record behind the number has its key.
                const std::uint32_t number = slots[at & mask].load(std::memory_order_acquire);
                if (HEAPWRIGHT_LIKELY(records[number].key.load(std::memory_order_relaxed) == key)) {  // ordered by the slot
                    return number;
                }
                if (number == 0) {
                    return 0;
                }
            }
        }
    };

    /// Requires: open.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE View view() const noexcept {
        Index* const index = index_.load(std::memory_order_acquire);  // pairs with the release in grow(): the slots are filled
        return {records_, index->slots(), index->mask, index->shift};
    }

    /// Requires: open, key not 0. Returns: the record's number, 0: there is none.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::uint32_t find(std::uint64_t key) const noexcept { return view().find(key); }

    /// Requires: open, key not 0.
    /// Returns:  the record's number, made if need be; 0: full, or memory was refused.
    [[nodiscard]] std::uint32_t intern(std::uint64_t key) noexcept;

    /// Records 1 to count() are complete.
    [[nodiscard]] std::uint32_t count() const noexcept {
        return count_.load(std::memory_order_acquire);  // pairs with the release in finish()
    }

    /// Requires: 0 <= number <= count() or a number that find() or intern() gave. Record 0 has key 0.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE Record& record(std::uint32_t number) const noexcept { return records_[number]; }

    /// Requires: this is the only thread.
    void after_fork_in_child() noexcept { growing_.store(false, std::memory_order_relaxed); }

    [[nodiscard]] const char* broken_invariant() const noexcept;

    /// What a record's key becomes when it must never be found again.
    static constexpr std::uint64_t kForgotten = ~std::uint64_t{0};

private:
    static constexpr std::uint32_t kFewest = 4096;
    static constexpr std::uint64_t kMultiplier = 0x9e3779b97f4a7c15U;  // 2^64 / golden ratio
    static constexpr std::size_t kCommitBytes = std::size_t{64} << 10;

    struct Index {
        Index* previous;     // smaller, kept because a reader may still stand in it; together they are no larger than this
        std::uint32_t mask;  // slots - 1
        std::uint32_t shift;
        [[nodiscard]] std::atomic<std::uint32_t>* slots() noexcept { return reinterpret_cast<std::atomic<std::uint32_t>*>(this + 1); }
        [[nodiscard]] std::uint32_t home(std::uint64_t key) const noexcept {
            return static_cast<std::uint32_t>((key * kMultiplier) >> shift);
        }
    };
    static constexpr std::size_t bytes_of_index(unsigned slots_log2) noexcept {
        return os::round_to_pages(sizeof(Index) + (sizeof(std::uint32_t) << slots_log2));
    }

    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::uint32_t find_in(Index* index, std::uint64_t key) const noexcept {
        return View{records_, index->slots(), index->mask, index->shift}.find(key);
    }
    [[nodiscard]] static Index* make_index(unsigned slots_log2) noexcept;
    [[nodiscard]] bool make_room(std::uint32_t number) noexcept;
    static void enter(Index* index, std::uint32_t number, std::uint64_t key) noexcept;
    void finish(std::uint32_t number, std::uint64_t key) noexcept;
    void grow() noexcept;

    Record* records_ = nullptr;
    std::uint32_t capacity_ = 0;  // record numbers are below
    const char* name_ = nullptr;
    std::atomic<Index*> index_{nullptr};
    // Written with each new record; what stands above is read at each search.
    alignas(kCacheLineBytes) std::atomic<std::uint32_t> count_{0};
    std::atomic<std::uint32_t> committed_{0};  // record numbers below this have memory
    std::atomic<bool> growing_{false};
};

}  // namespace heapwright::trace::stack

#include <heapwright/trace/stack/detail/intern_table_impl.hpp>
