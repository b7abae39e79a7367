// The name table: where each object that a handle names is.
#pragma once

#include <cstddef>
#include <cstdint>

#include <heapwright/os/pages.hpp>
#include <heapwright/os/spin_lock.hpp>

namespace heapwright::movable {

/// Four bytes a name: the object's offset in the heap, in units of 8 bytes. The lowest free name is taken first, so that a
/// table stays as short as its most names at one time, and pages that no name is left on go back.
///
///   MN1  as many bits are set as names are counted, in each page and in all
///   MN2  below the hint every name is taken
///
/// Thread safety: any thread; the entries themselves are guarded as the objects are.
class Names {
public:
    using Entry = std::uint32_t;
    static constexpr std::uint32_t kNone = 0;  // the number 0 is nobody's
    static constexpr std::size_t kPerPage = os::kPageBytes / sizeof(Entry);

    /// Bytes of addresses that so many names need. Requires: a multiple of kPagesAtOnce pages of names.
    [[nodiscard]] static constexpr std::size_t address_bytes(std::size_t names) noexcept {
        return names * sizeof(Entry) + bits_bytes(names) + counts_bytes(names);
    }
    /// Requires: reserved addresses of that size, at a page.
    Names(std::byte* addresses, std::size_t names) noexcept;

    /// Returns:  a name whose entry is 0; kNone where the table is full or memory is refused.
    [[nodiscard]] std::uint32_t take() noexcept;
    void give(std::uint32_t name) noexcept;
    /// A name below `name`, if one is free. As take().
    [[nodiscard]] std::uint32_t take_below(std::uint32_t name) noexcept;

    [[nodiscard]] Entry& operator[](std::uint32_t name) const noexcept { return entries_[name]; }
    [[nodiscard]] std::uint32_t number_of(const Entry* entry) const noexcept { return static_cast<std::uint32_t>(entry - entries_); }

    /// Gives pages without names back. Returns: bytes.
    std::size_t trim() noexcept;
    [[nodiscard]] std::size_t live() const noexcept;
    /// Pages of entries that are in memory, about.
    [[nodiscard]] std::size_t resident_bytes() const noexcept;
    void reset_after_fork() noexcept { lock_.reset_after_fork(); }

    /// The name of the first invariant that does not hold, or nullptr. Requires: nobody takes or gives names meanwhile.
    [[nodiscard]] const char* broken_invariant() const noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;

private:
    static constexpr std::size_t kPagesAtOnce = 64;  // committed together
    [[nodiscard]] static constexpr std::size_t bits_bytes(std::size_t names) noexcept { return os::round_to_pages(names / 8); }
    [[nodiscard]] static constexpr std::size_t counts_bytes(std::size_t names) noexcept {
        return os::round_to_pages(names / kPerPage * sizeof(std::uint16_t));
    }
    [[nodiscard]] std::uint32_t find_free(std::uint32_t limit) noexcept HEAPWRIGHT_REQUIRES_LOCK(lock_);
    void mark(std::uint32_t name) noexcept HEAPWRIGHT_REQUIRES_LOCK(lock_);
    [[nodiscard]] bool commit_more() noexcept HEAPWRIGHT_REQUIRES_LOCK(lock_);

    Entry* entries_;
    std::uint64_t* bits_;
    std::uint16_t* counts_;  // names of a page; kGivenBack: its memory has gone back
    std::size_t most_;
    mutable os::SpinLock lock_;
    std::size_t committed_ HEAPWRIGHT_GUARDED_BY(lock_) = 0;   // names that have memory
    std::size_t pages_used_ HEAPWRIGHT_GUARDED_BY(lock_) = 0;  // pages of entries that were written and not given back
    std::size_t live_ HEAPWRIGHT_GUARDED_BY(lock_) = 0;
    std::size_t hint_ HEAPWRIGHT_GUARDED_BY(lock_) = 0;  // the first word of bits that may have a free one
};

}  // namespace heapwright::movable
