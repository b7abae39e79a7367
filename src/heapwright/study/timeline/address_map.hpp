// A compact hash table from block addresses to plain records: what every pass over a trace spends its time in.
//
// Open addressing with linear probing; a removal shifts the followers back, so there are no tombstones and the table
// does not age. Homes are `hash * capacity >> 64`, which keeps the order of the hashes at any capacity: the table grows
// by half, front to back, and gives the old memory back behind the walk instead of holding both tables at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include <heapwright/base/check.hpp>
#include <heapwright/base/platform.hpp>
#include <heapwright/study/timeline/fetch.hpp>
#include <heapwright/study/timeline/pages_array.hpp>
#include <heapwright/study/timeline/wide.hpp>

namespace heapwright::study {

/// Record is plain data with a member `std::uint64_t address`; address 0 marks an empty place.
///
///   M1  size() places are occupied, and their share stays at or below three quarters
///   M2  every record is reachable from its home without crossing an empty place
///
/// Pointers to records are dead after the next insert or erase.
/// Cost:          about two cache lines an operation, which prefetch() can fetch ahead.
/// Thread safety: one caller.
template <class Record>
class AddressMap {
public:
    AddressMap() = default;

    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] bool empty() const { return size_ == 0; }

    /// Fetches the place where `address` would stand.
    void prefetch(std::uint64_t address) const {
        if (HEAPWRIGHT_LIKELY(capacity_ != 0)) {
            fetch_line(&places_[home_of(address)]);
        }
    }

    /// Returns:  the record, or nullptr.
    [[nodiscard]] Record* find(std::uint64_t address) {
        if (HEAPWRIGHT_UNLIKELY(capacity_ == 0 || address == 0)) {
            return nullptr;
        }
        for (std::size_t place = home_of(address);; place = after(place)) {
            Record& record = places_[place];
            if (record.address == address) {
                return &record;
            }
            if (record.address == 0) {
                return nullptr;
            }
        }
    }
    [[nodiscard]] const Record* find(std::uint64_t address) const { return const_cast<AddressMap*>(this)->find(address); }

    /// Requires: record.address is not 0 (checked).
    /// Returns:  the record that stands there now and whether it is the new one; if not, the old one is unchanged.
    std::pair<Record*, bool> insert(const Record& record) {
        HEAPWRIGHT_CHECK(record.address != 0, "address 0 is no block");
        if (HEAPWRIGHT_UNLIKELY(size_ >= limit_)) {
            grow_slow();
        }
        std::size_t place = home_of(record.address);
        while (places_[place].address != 0) {
            if (places_[place].address == record.address) {
                return {&places_[place], false};
            }
            place = after(place);
        }
        places_[place] = record;
        ++size_;
        return {&places_[place], true};
    }

    /// Requires: `record` was returned by find() or insert() and nothing was inserted or erased since.
    void erase(Record* record) {
        auto hole = static_cast<std::size_t>(record - places_.data());
        for (std::size_t place = after(hole); places_[place].address != 0; place = after(place)) {
            // The follower may fill the hole unless its home lies (cyclically) behind the hole.
            const std::size_t home = home_of(places_[place].address);
            const std::size_t from_home = place >= home ? place - home : place + capacity_ - home;
            const std::size_t from_hole = place >= hole ? place - hole : place + capacity_ - hole;
            if (from_home >= from_hole) {
                places_[hole] = places_[place];
                hole = place;
            }
        }
        places_[hole].address = 0;
        --size_;
    }

    template <class Visit>
    void for_each(Visit visit) const {
        for (std::size_t place = 0; place < capacity_; ++place) {
            if (places_[place].address != 0) {
                visit(places_[place]);
            }
        }
    }

    /// Empties the table and gives its memory back.
    void clear() {
        places_.clear();
        capacity_ = size_ = limit_ = 0;
    }

    /// The first invariant that does not hold, or nullptr. Cost: O(capacity).
    [[nodiscard]] const char* broken_invariant() const {
        std::size_t occupied = 0;
        for (std::size_t place = 0; place < capacity_; ++place) {
            if (places_[place].address == 0) {
                continue;
            }
            ++occupied;
            for (std::size_t step = home_of(places_[place].address); step != place; step = after(step)) {
                if (places_[step].address == 0) {
                    return "M2: a record cannot be reached from its home";
                }
            }
        }
        return occupied != size_ || size_ > limit_ ? "M1: the table's size is not the number of its records" : nullptr;
    }

private:
    static constexpr std::size_t kFirstCapacity = 2048;

    [[nodiscard]] std::size_t home_of(std::uint64_t address) const {
        // Fibonacci hashing; the fold lets the high half matter in the low bits that the multiplication favours.
        const std::uint64_t hash = (address ^ (address >> 32)) * 0x9E3779B97F4A7C15ULL;
        __extension__ using Product = unsigned __int128;
        return static_cast<std::size_t>((static_cast<Product>(hash) * capacity_) >> 64);
    }
    [[nodiscard]] std::size_t after(std::size_t place) const { return ++place == capacity_ ? 0 : place; }

    HEAPWRIGHT_NOINLINE void grow_slow() {
        AddressMap wider;
        wider.capacity_ = capacity_ == 0 ? kFirstCapacity : capacity_ + capacity_ / 2;
        wider.limit_ = wider.capacity_ / 4 * 3;
        wider.places_.grow(wider.capacity_);
        constexpr std::size_t kStretch = (std::size_t{1} << 20) / sizeof(Record);
        for (std::size_t place = 0; place < capacity_; ++place) {
            if (places_[place].address != 0) {
                static_cast<void>(wider.insert(places_[place]));
            }
            if (place % kStretch == kStretch - 1) {
                places_.forget(place + 1 - kStretch, place + 1);
            }
        }
        *this = std::move(wider);
    }

    PagesArray<Record> places_;
    std::size_t capacity_ = 0;
    std::size_t size_ = 0;
    std::size_t limit_ = 0;
};

}  // namespace heapwright::study
