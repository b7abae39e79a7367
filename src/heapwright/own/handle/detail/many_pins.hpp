// How many pins an object has whose short header has no room for so many.
#pragma once

#include <cstddef>
#include <cstdint>

#include <heapwright/base/error.hpp>
#include <heapwright/os/pages.hpp>
#include <heapwright/os/spin_lock.hpp>

namespace heapwright::movable {

/// Counts, beside a short header, of the pins from its 31st on. Few objects ever have so many: a row each, looked for one by one.
/// The first kOwnRows rows are the heap's own memory, so that nothing but more objects than that can be refused.
///
///   MP1  an object whose header says ShortHeader::kMany has a row
///
/// Headers change to kMany and from it behind the lock.
///
/// Thread safety: any thread.
class ManyPins {
public:
    static constexpr std::size_t kOwnBytes = os::kPageBytes;
    static constexpr std::size_t kOwnRows = kOwnBytes / 16;

    /// Requires: kOwnBytes of zeros, at a page, which stay as long as it does.
    explicit ManyPins(std::byte* own) noexcept : own_(reinterpret_cast<Row*>(own)), rows_(own_) {}
    ManyPins(const ManyPins&) = delete;
    ManyPins& operator=(const ManyPins&) = delete;
    ~ManyPins();

    /// Counts one pin more of an object that has more than its header can count, or about so many.
    ///
    /// Fails:    limit_reached when there are Header::kMostPins (number: those); out_of_memory when more than kOwnRows objects have so
    ///           many and there is no memory for another row (number: bytes asked).
    /// Requires: inside the gate; a short header.
    /// Cost:     O(rows).
    [[nodiscard]] Result<void> pin(std::byte* payload) noexcept;
    /// One fewer. Requires: a short header, and that one of its pins is the caller's.
    void unpin(std::byte* payload) noexcept;

    /// Whether it has a row.
    [[nodiscard]] bool counts(const std::byte* payload) const noexcept;
    /// Objects with a row.
    [[nodiscard]] std::size_t rows() const noexcept;
    /// In a child of fork: whatever another thread was doing here, each object has one row.
    void reset_after_fork() noexcept;

private:
    struct Row {
        std::byte* payload;
        std::size_t beyond;  // pins that the header does not count
    };
    static_assert(sizeof(Row) * kOwnRows == kOwnBytes);

    [[nodiscard]] Row* find(const std::byte* payload) const noexcept HEAPWRIGHT_REQUIRES_LOCK(lock_);
    [[nodiscard]] Row* add(std::byte* payload) noexcept HEAPWRIGHT_REQUIRES_LOCK(lock_);
    [[nodiscard]] bool grow() noexcept HEAPWRIGHT_REQUIRES_LOCK(lock_);
    void remove(Row& row) noexcept HEAPWRIGHT_REQUIRES_LOCK(lock_);

    Row* const own_;
    mutable os::SpinLock lock_;
    Row* rows_ HEAPWRIGHT_GUARDED_BY(lock_);
    std::size_t count_ HEAPWRIGHT_GUARDED_BY(lock_) = 0;
    std::size_t room_ HEAPWRIGHT_GUARDED_BY(lock_) = kOwnRows;
};

}  // namespace heapwright::movable
