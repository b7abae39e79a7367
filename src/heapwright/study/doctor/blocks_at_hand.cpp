#include <heapwright/study/doctor/blocks_at_hand.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <set>
#include <span>

#include <heapwright/study/doctor/record_field.hpp>

namespace heapwright::study::doctor {

namespace {

/// More than a list can have; one that goes on changed while it was read.
constexpr unsigned kMostOfList = 1U << 14;

std::set<std::uint64_t> caches_of(MemorySource& memory, const HeapwrightHeap& heap) {
    const HeapDescriptor& form = heap.descriptor;
    std::set<std::uint64_t> caches;
    for (const RegionPlace& place : heap.regions) {
        std::vector<std::byte> records(std::size_t{place.used_slices - place.first_slice} * form.record_bytes);
        memory.read(place.base + std::uint64_t{place.first_slice} * form.record_bytes, records);
        for (std::size_t at = 0; at < records.size(); at += form.record_bytes) {
            const auto record = std::span{records}.subspan(at, form.record_bytes);
            const auto owner = field<std::uint64_t>(record, form.in_slice.owner);
            const bool is_of_blocks = owner != form.owners.free && owner != form.owners.interior && owner != form.owners.large &&
                                      owner != form.owners.metadata && (owner & form.owners.bump) != form.owners.bump;
            if (const auto cache = field<std::uint64_t>(record, form.in_slice.cache); is_of_blocks && cache != 0) {
                caches.insert(cache);
            }
        }
    }
    return caches;
}

}  // namespace

std::vector<std::uint64_t> blocks_at_hand(MemorySource& memory, const HeapwrightHeap& heap) {
    constexpr std::uint32_t kMostBytes = 1U << 20;
    const HeapDescriptor::CacheOffsets& form = heap.descriptor.in_cache;
    struct Table {
        std::uint32_t at, bytes;
        std::vector<std::uint32_t> heads;
    };
    const std::array<Table, 2> tables{
        Table{form.lists, form.list_bytes, {form.first, form.old, form.rest}},
        Table{form.hands, form.hand_bytes, {form.kept}},
    };
    std::vector<std::uint64_t> blocks;
    std::vector<std::byte> records;
    for (const std::uint64_t cache : caches_of(memory, heap)) {
        for (const Table& table : tables) {
            const std::uint64_t bytes = std::uint64_t{table.bytes} * form.count;
            records.resize(bytes > kMostBytes ? 0 : bytes);
            if (memory.read(cache + table.at, records) != bytes) {
                continue;
            }
            for (std::size_t at = 0; at < records.size(); at += table.bytes) {
                for (const std::uint32_t head : table.heads) {
                    auto block = field<std::uint64_t>(std::span{records}.subspan(at, table.bytes), head);
                    for (unsigned steps = 0; heap.owns(block) && steps < kMostOfList; ++steps) {
                        blocks.push_back(block);
                        block = memory.object<std::uint64_t>(block).value_or(0);
                    }
                }
            }
        }
    }
    std::ranges::sort(blocks);
    return blocks;
}

}  // namespace heapwright::study::doctor
