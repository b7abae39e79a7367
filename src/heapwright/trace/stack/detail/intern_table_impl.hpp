// The slow half of InternTable: making records and replacing the index.
#pragma once

#include <heapwright/trace/stack/intern_table.hpp>

namespace heapwright::trace::stack {

template <class Record>
typename InternTable<Record>::Index* InternTable<Record>::make_index(unsigned slots_log2) noexcept {
    auto* const index = static_cast<Index*>(os::map_observer_pages(bytes_of_index(slots_log2), "heapwright stack index"));
    if (index != nullptr) {
        index->mask = (std::uint32_t{1} << slots_log2) - 1;
        index->shift = 64 - slots_log2;
    }
    return index;
}

template <class Record>
bool InternTable<Record>::open(std::uint32_t max_records, unsigned first_slots_log2, const char* name) noexcept {
    name_ = name;
    for (std::uint32_t records = max_records; records >= kFewest || records == max_records; records /= 2) {
        const std::size_t bytes = os::round_to_pages((std::size_t{records} + 1) * sizeof(Record));
        records_ = static_cast<Record*>(os::reserve(bytes, os::kPageBytes, name));
        if (records_ != nullptr) {
            os::mark_observer_pages(records_, bytes);
            capacity_ = records + 1;
            break;
        }
        if (records == 0) {
            break;
        }
    }
    if (records_ == nullptr) {
        return false;
    }
    Index* const index = make_index(first_slots_log2);
    if (index == nullptr || !make_room(0)) {
        if (index != nullptr) {
            os::release(index, bytes_of_index(first_slots_log2));
        }
        os::release(records_, os::round_to_pages(std::size_t{capacity_} * sizeof(Record)));
        records_ = nullptr;
        return false;
    }
    index_.store(index, std::memory_order_release);  // pairs with the acquire in find()
    return true;
}

template <class Record>
void InternTable<Record>::close() noexcept {
    if (records_ == nullptr) {
        return;
    }
    os::release(records_, os::round_to_pages(std::size_t{capacity_} * sizeof(Record)));
    records_ = nullptr;
    // Relaxed from here on: no other thread uses the table.
    for (Index* index = index_.load(std::memory_order_relaxed); index != nullptr;) {
        Index* const previous = index->previous;
        os::release(index, bytes_of_index(64 - index->shift));
        index = previous;
    }
    index_.store(nullptr, std::memory_order_relaxed);
    count_.store(0, std::memory_order_relaxed);
    committed_.store(0, std::memory_order_relaxed);
    growing_.store(false, std::memory_order_relaxed);
}

template <class Record>
std::uint32_t InternTable<Record>::intern(std::uint64_t key) noexcept {
    // The count is read before the index: a key that is not in the index by then can only be in a later record, and
    // the loop below looks at each of those before it makes its own.
    std::uint32_t number = count() + 1;
    if (const std::uint32_t found = find(key); found != 0) {
        return found;
    }
    if (growing_.load(std::memory_order_acquire)) {  // pairs with the release in grow(): the newest index may lack some
        Index* const previous = index_.load(std::memory_order_acquire)->previous;
        if (const std::uint32_t found = previous != nullptr ? find_in(previous, key) : 0; found != 0) {
            return found;
        }
    }
    for (;; ++number) {
        if (!make_room(number)) {
            return 0;
        }
        std::uint64_t seen = 0;
        // Release on success pairs with the acquire of the failing side here, whose thread then finishes the record.
        const bool claimed = records_[number].key.compare_exchange_strong(seen, key, std::memory_order_acq_rel, std::memory_order_acquire);
        finish(number, claimed ? key : seen);
        if (claimed || seen == key) {
            return number;
        }
    }
}

/// Memory for the record and a free slot for its number.
template <class Record>
bool InternTable<Record>::make_room(std::uint32_t number) noexcept {
    if (number >= capacity_) {
        return false;
    }
    // Acquire pairs with the release below: the pages are there.
    std::uint32_t committed = committed_.load(std::memory_order_acquire);
    while (HEAPWRIGHT_UNLIKELY(number >= committed)) {
        const std::size_t from = std::size_t{committed} * sizeof(Record);
        const std::size_t all = os::round_to_pages(std::size_t{capacity_} * sizeof(Record));
        const std::size_t bytes = all - from < kCommitBytes ? all - from : kCommitBytes;
        // Two threads may both commit the step; the second changes nothing.
        if (!os::commit(reinterpret_cast<char*>(records_) + from, bytes)) {
            return false;
        }
        const auto reached = static_cast<std::uint32_t>((from + bytes) / sizeof(Record));
        if (committed_.compare_exchange_strong(committed, reached, std::memory_order_acq_rel, std::memory_order_acquire)) {
            committed = reached;
        }
    }
    Index* index = index_.load(std::memory_order_acquire);  // pairs with the release in grow()
    if (index == nullptr) {
        return true;  // open() itself
    }
    if (HEAPWRIGHT_UNLIKELY(number > index->mask / 2)) {
        grow();
        index = index_.load(std::memory_order_acquire);  // pairs with the release in grow()
    }
    // An eighth stays free: searches end, and threads that come here together do not fill the index to the brim.
    return number <= index->mask - index->mask / 8;
}

template <class Record>
void InternTable<Record>::enter(Index* index, std::uint32_t number, std::uint64_t key) noexcept {
    for (std::uint32_t at = index->home(key);; ++at) {
        std::uint32_t seen = 0;
        // Release pairs with the acquire in find_in(). On failure the other's number is compared, nothing behind it read.
        if (index->slots()[at & index->mask].compare_exchange_strong(seen, number, std::memory_order_release, std::memory_order_relaxed) ||
            seen == number) {
            return;
        }
    }
}

template <class Record>
void InternTable<Record>::finish(std::uint32_t number, std::uint64_t key) noexcept {
    enter(index_.load(std::memory_order_acquire), number, key);  // pairs with the release in grow()
    std::uint32_t before = number - 1;
    // Release pairs with the acquire in count(). Failure: another thread has counted it already.
    count_.compare_exchange_strong(before, number, std::memory_order_release, std::memory_order_relaxed);
}

template <class Record>
void InternTable<Record>::grow() noexcept {
    // Acquire pairs with the release at the end: one builder at a time, each sees the index of the last.
    if (growing_.exchange(true, std::memory_order_acquire)) {
        return;
    }
    Index* const old = index_.load(std::memory_order_relaxed);  // only builders write it
    Index* const index = count() > old->mask / 2 - 1 ? make_index(64 - old->shift + 1) : nullptr;
    if (index != nullptr) {
        index->previous = old;
        std::uint32_t number = 1;
        const auto catch_up = [&]() noexcept {
            for (const std::uint32_t last = count(); number <= last; ++number) {
                // Ordered by count().
                if (const std::uint64_t key = records_[number].key.load(std::memory_order_relaxed); key != kForgotten) {
                    enter(index, number, key);
                }
            }
        };
        catch_up();
        index_.store(index, std::memory_order_seq_cst);  // before the count is read again; pairs with acquires everywhere
        catch_up();
    }
    growing_.store(false, std::memory_order_release);  // pairs with the acquire at the beginning and in intern()
}

template <class Record>
const char* InternTable<Record>::broken_invariant() const noexcept {
    if (records_ == nullptr) {
        return nullptr;
    }
    const std::uint32_t last = count();
    for (std::uint32_t number = 1; number <= last; ++number) {
        const std::uint64_t key = records_[number].key.load(std::memory_order_relaxed);  // the caller excludes writers
        if (key == 0) {
            return "I1: a counted record has no key";
        }
        if (key != kForgotten && find(key) == 0) {
            return "I1: a record is not in the index";
        }
    }
    // Relaxed: as above.
    if (last + 2 < committed_.load(std::memory_order_relaxed) && records_[last + 2].key.load(std::memory_order_relaxed) != 0) {
        return "I2: a record was made behind a gap";
    }
    return nullptr;
}

}  // namespace heapwright::trace::stack
