// Entering and removing sampled addresses.
#include <heapwright/trace/record/sampled_set.hpp>

#include <heapwright/os/pages.hpp>

namespace heapwright::trace::record {

namespace {
constexpr std::uint8_t kStuck = 255;
}

SampledSet::Place* SampledSet::table_at(std::size_t index) noexcept {
    Place* table = tables_[index].load(std::memory_order_acquire);  // pairs with the release below
    if (table != nullptr) {
        return table;
    }
    const os::LockGuard guard(lock_);
    table = tables_[index].load(std::memory_order_relaxed);  // written under this lock only
    if (table == nullptr) {
        table = static_cast<Place*>(os::map_observer_pages(places_of(index) * sizeof(Place), "heapwright samples"));
        tables_[index].store(table, std::memory_order_release);  // pairs with the acquire above
    }
    return table;
}

void SampledSet::count(std::uint64_t hash, int step) noexcept {
    auto& counter = filter_[hash >> 48];
    std::uint8_t count = counter.load(std::memory_order_relaxed);  // only the sum matters
    while (count != kStuck && !counter.compare_exchange_weak(count, static_cast<std::uint8_t>(count + step), std::memory_order_relaxed)) {}
}

bool SampledSet::enter(std::uint64_t address) noexcept {
    const std::uint64_t hash = hash_of(address);
    for (std::size_t index = 0; index < kTables; ++index) {
        Place* const table = table_at(index);
        if (table == nullptr) {
            return false;
        }
        Place* const line = line_of(table, index, hash);
        for (std::size_t at = 0; at < kLine; ++at) {
            std::uint64_t expected = 0;
            // Relaxed: the block's way to the thread that releases it orders this store before that look.
            if (line[at].compare_exchange_strong(expected, address, std::memory_order_relaxed)) {
                count(hash, 1);
                return true;
            }
        }
    }
    return false;
}

bool SampledSet::remove(std::uint64_t address) noexcept {
    const std::uint64_t hash = hash_of(address);
    if (filter_[hash >> 48].load(std::memory_order_relaxed) == 0) {  // as in enter()
        return false;
    }
    for (std::size_t index = 0; index < kTables; ++index) {
        Place* const table = tables_[index].load(std::memory_order_acquire);  // pairs with table_at()
        if (table == nullptr) {
            return false;
        }
        Place* const line = line_of(table, index, hash);
        for (std::size_t at = 0; at < kLine; ++at) {
            if (line[at].load(std::memory_order_relaxed) == address) {  // as in enter()
                line[at].store(0, std::memory_order_relaxed);
                count(hash, -1);
                return true;
            }
        }
    }
    return false;
}

}  // namespace heapwright::trace::record
