// The name table: where each object that a handle names is.
#pragma once

#include <cstddef>
#include <cstdint>

#include <heapwright/os/pages.hpp>
#include <heapwright/os/spin_lock.hpp>
#include <heapwright/own/handle/detail/layout.hpp>

namespace heapwright::movable {

/// An entry of the table: an object's offset in the heap, in units of kEntryUnit bytes.
using Entry = std::uint32_t;
inline constexpr std::size_t kEntryUnit = 4;
/// The entry of a name whose object is not made yet, or whose page is packed.
inline constexpr Entry kElsewhere = 0;

/// What a page of names is where few are left on it: which they were when it was packed, and their entries in that order. It is
/// an object of the heap, whose owner is the page's place in the list of records: a compaction moves it like any other.
struct PackedNames {
    static constexpr std::size_t kWords = os::kPageBytes / sizeof(Entry) / 64;

    std::uint64_t bits[kWords];
    std::uint16_t before[kWords];  // names that are set in the words before
    std::uint32_t room;            // entries
    std::uint32_t unused;
    // Entries follow.

    [[nodiscard]] static constexpr std::size_t bytes_for(std::size_t room) noexcept { return sizeof(PackedNames) + room * sizeof(Entry); }
    /// With what an object has besides.
    [[nodiscard]] static constexpr std::size_t slot_bytes_for(std::size_t room) noexcept {
        return slot_bytes_of(class_for(bytes_for(room), alignof(std::uint64_t)));
    }
    /// Requires: the name was on the page when it was packed.
    [[nodiscard]] Entry& of(std::uint32_t name) noexcept {
        const std::uint32_t at = name % (kWords * 64);
        const std::uint64_t below = bits[at / 64] & ((std::uint64_t{1} << at % 64) - 1);
        return reinterpret_cast<Entry*>(this + 1)[before[at / 64] + static_cast<unsigned>(__builtin_popcountll(below))];
    }
};
static_assert(sizeof(PackedNames) % alignof(std::uint64_t) == 0);

/// Four bytes a name. The lowest free name is taken first, so that a table stays as short as its most names at one
/// time. Pages that no name is left on go back; of pages with few names, a compaction makes a record, and they go back, too:
/// their entries then read as kElsewhere. A page that is packed gives no more names, until its last one has gone.
///
///   MN1  as many bits are set as names are counted, in each page and in all
///   MN2  below the hint every name is taken, or lies on a page that is packed
///   MN3  the entries of a packed page are kElsewhere, and its record has all its names
///
/// Thread safety: any thread; the entries themselves are guarded as the objects are, and so are records: they are made and
/// moved while nobody is inside the gate, and read inside.
class Names {
public:
    using Entry = movable::Entry;
    static constexpr std::uint32_t kNone = 0;  // the number 0 is nobody's
    static constexpr std::uint32_t kPerPage = os::kPageBytes / sizeof(Entry);
    static constexpr std::uint32_t kNoPage = UINT32_MAX;
    static constexpr std::uint32_t kPackedMost = kPerPage * 3 / 8;  // names of a page that is worth packing
    static constexpr std::size_t kRoomUnit = 16;                    // entries of a record: few sizes, and room for none that come

    /// Bytes of addresses that so many names need. Requires: a multiple of kPagesAtOnce pages of names.
    [[nodiscard]] static constexpr std::size_t address_bytes(std::size_t names) noexcept {
        return names * sizeof(Entry) + bits_bytes(names) + counts_bytes(names) + records_bytes(names);
    }
    /// Requires: reserved addresses of that size, at a page.
    Names(std::byte* addresses, std::size_t names) noexcept;

    /// Returns:  a name whose entry is 0; kNone where the table is full or memory is refused.
    [[nodiscard]] std::uint32_t take() noexcept;
    /// Returns:  the page whose last name this was, if it is packed: the caller ends its record, and says record_ended(). Else kNoPage.
    [[nodiscard]] std::uint32_t give(std::uint32_t name) noexcept;
    /// A name below `name`, if one is free; one anywhere else if `name` lies on a page that is packed. As take().
    [[nodiscard]] std::uint32_t take_better(std::uint32_t name) noexcept;

    [[nodiscard]] Entry* entry_of(std::uint32_t name) const noexcept { return entries_ + name; }
    [[nodiscard]] std::uint32_t number_of(const Entry* entry) const noexcept { return static_cast<std::uint32_t>(entry - entries_); }
    /// Where a name's entry is now. Requires: inside the gate, or to be who closed it, or nobody else knows the name.
    [[nodiscard]] Entry& place_of(std::uint32_t name) const noexcept {
        std::byte* const record = records_[name / kPerPage];
        return record == nullptr ? entries_[name] : reinterpret_cast<PackedNames*>(record)->of(name);
    }

    /// Whether so much of the table is without names that pages should be packed.
    [[nodiscard]] bool is_sparse() const noexcept;
    /// The next page from `page` on that should be packed. `room` is what its record needs. Returns: kNoPage.
    [[nodiscard]] std::uint32_t find_sparse(std::uint32_t page, std::size_t& room) const noexcept;
    /// Makes `record` the page's, and gives the page back. `former` is a record that it had before, and that is no longer used.
    ///
    /// Requires: the caller has closed the gate; bytes_for(room) bytes.
    /// Returns:  false where there are more names meanwhile, or some whose object is not made yet: nothing has changed.
    [[nodiscard]] bool pack(std::uint32_t page, std::byte* record, std::size_t room, std::byte*& former) noexcept;
    /// The owner of a page's record.
    [[nodiscard]] std::byte** record_of(std::uint32_t page) const noexcept { return records_ + page; }
    void record_ended(std::uint32_t page, std::size_t room) noexcept;

    /// Gives pages without names back. Returns: bytes.
    std::size_t trim() noexcept;

    struct Counts {
        std::size_t names;
        std::size_t page_bytes;  // pages of entries that are in memory, about
        std::size_t records;
        std::size_t record_bytes;  // of their slots
    };
    [[nodiscard]] Counts counts() const noexcept;
    void reset_after_fork() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;

    /// The name of the first invariant that does not hold, or nullptr. Requires: nobody takes or gives names meanwhile.
    [[nodiscard]] const char* broken_invariant() const noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;

private:
    static constexpr std::size_t kPagesAtOnce = 64;  // committed together
    // Beside the count of a page's names:
    static constexpr std::uint16_t kUntouched = 0x8000;  // never written, or given back
    static constexpr std::uint16_t kPacked = 0x4000;     // given back, but for its record
    static constexpr std::uint16_t kCount = 0x07FF;

    [[nodiscard]] static constexpr std::size_t bits_bytes(std::size_t names) noexcept { return os::round_to_pages(names / 8); }
    [[nodiscard]] static constexpr std::size_t counts_bytes(std::size_t names) noexcept {
        return os::round_to_pages(names / kPerPage * sizeof(std::uint16_t));
    }
    [[nodiscard]] static constexpr std::size_t records_bytes(std::size_t names) noexcept {
        return os::round_to_pages(names / kPerPage * sizeof(std::byte*));
    }
    [[nodiscard]] std::uint32_t find_free(std::uint32_t limit) noexcept HEAPWRIGHT_REQUIRES_LOCK(lock_);
    [[nodiscard]] std::uint32_t take_any() noexcept HEAPWRIGHT_REQUIRES_LOCK(lock_);
    void mark(std::uint32_t name) noexcept HEAPWRIGHT_REQUIRES_LOCK(lock_);
    [[nodiscard]] bool commit_more() noexcept HEAPWRIGHT_REQUIRES_LOCK(lock_);
    /// They read as kElsewhere from now on, and their memory goes back.
    void forget_entries(std::uint32_t page) noexcept;
    [[nodiscard]] const char* broken_page(std::size_t page) const noexcept HEAPWRIGHT_REQUIRES_LOCK(lock_);

    Entry* entries_;
    std::uint64_t* bits_;
    std::uint16_t* counts_;  // names of a page, and what it is
    std::byte** records_;    // of pages that are packed
    std::size_t most_;
    mutable os::SpinLock lock_;
    std::size_t committed_ HEAPWRIGHT_GUARDED_BY(lock_) = 0;   // names that have memory
    std::size_t pages_used_ HEAPWRIGHT_GUARDED_BY(lock_) = 0;  // pages of entries that were written and not given back
    std::size_t live_ HEAPWRIGHT_GUARDED_BY(lock_) = 0;
    std::size_t packed_names_ HEAPWRIGHT_GUARDED_BY(lock_) = 0;  // of live_, those on pages that are packed
    std::size_t records_live_ HEAPWRIGHT_GUARDED_BY(lock_) = 0;
    std::size_t record_bytes_ HEAPWRIGHT_GUARDED_BY(lock_) = 0;
    std::uint32_t packing_ HEAPWRIGHT_GUARDED_BY(lock_) = kNoPage;  // its record has its names, and its entries are about to go
    std::size_t hint_ HEAPWRIGHT_GUARDED_BY(lock_) = 0;             // the first word of bits that may have a free one
};

}  // namespace heapwright::movable
