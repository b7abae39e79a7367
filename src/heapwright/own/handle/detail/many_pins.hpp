// How many pins an object has whose short header has no room for so many.
#pragma once

#include <cstddef>
#include <cstdint>

#include <heapwright/os/pages.hpp>
#include <heapwright/os/spin_lock.hpp>

namespace heapwright::movable {

/// Counts, beside a short header, of the pins from its 31st on. Few objects ever have so many: a row each, looked for one by one.
///
///   MP1  an object whose header says ShortHeader::kMany has a row
///
/// Headers change to kMany and from it behind the lock.
///
/// Thread safety: any thread.
class ManyPins {
public:
    ManyPins() noexcept = default;
    ManyPins(const ManyPins&) = delete;
    ManyPins& operator=(const ManyPins&) = delete;
    ~ManyPins();

    /// Counts one pin more of an object that has more than its header can count, or about so many.
    ///
    /// Returns:  false when there are Header::kMostPins, or no memory for a row.
    /// Requires: inside the gate; a short header.
    [[nodiscard]] bool pin(std::byte* payload) noexcept;
    /// One fewer. Requires: a short header, and that one of its pins is the caller's.
    void unpin(std::byte* payload) noexcept;

    /// Whether it has a row.
    [[nodiscard]] bool counts(const std::byte* payload) const noexcept;
    /// Objects with a row.
    [[nodiscard]] std::size_t rows() const noexcept;
    void reset_after_fork() noexcept { lock_.reset_after_fork(); }

private:
    struct Row {
        std::byte* payload;
        std::size_t beyond;  // pins that the header does not count
    };

    [[nodiscard]] Row* find(const std::byte* payload) const noexcept HEAPWRIGHT_REQUIRES_LOCK(lock_);
    [[nodiscard]] Row* add(std::byte* payload) noexcept HEAPWRIGHT_REQUIRES_LOCK(lock_);
    void remove(Row& row) noexcept HEAPWRIGHT_REQUIRES_LOCK(lock_);

    mutable os::SpinLock lock_;
    Row* rows_ HEAPWRIGHT_GUARDED_BY(lock_) = nullptr;
    std::size_t count_ HEAPWRIGHT_GUARDED_BY(lock_) = 0;
    std::size_t room_ HEAPWRIGHT_GUARDED_BY(lock_) = 0;
};

}  // namespace heapwright::movable
