#include <heapwright/study/doctor/heapwright_heap.hpp>

#include <algorithm>
#include <cstring>

#include <heapwright/study/doctor/blocks_at_hand.hpp>
#include <heapwright/study/doctor/record_field.hpp>

namespace heapwright::study::doctor {

namespace {

constexpr std::uint64_t kMostData = std::uint64_t{64} << 20;
constexpr std::uint32_t kMostRegions = 4096;
constexpr std::uint32_t kMostSlices = 1U << 26;
/// Blocks of up to this size may be at hand in the list of another span of their class; more of them than there can be.
constexpr std::uint32_t kMostMixedBytes = 1024;
constexpr std::size_t kMostKept = 256;

/// Counts the spans of one region.
class RegionCount {
public:
    /// `at_hand`: ascending, of all regions.
    RegionCount(MemorySource& memory, const HeapDescriptor& form, const RegionPlace& place, const PageRun& pages,
                std::span<const std::uint64_t> at_hand, SpanFigures& figures)
        : memory_(memory), form_(form), place_(place), pages_(pages), at_hand_(at_hand), figures_(figures) {}

    void run() {
        const std::uint64_t records_end = slice_address(place_.first_slice);
        figures_.metadata_bytes += pages_.resident_bytes(place_.base, records_end);
        const std::uint32_t slices = place_.used_slices - place_.first_slice;
        std::vector<std::byte> records(std::size_t{slices} * form_.record_bytes);
        memory_.read(place_.base + std::uint64_t{place_.first_slice} * form_.record_bytes, records);
        for (std::uint32_t index = 0; index < slices;) {
            const auto record = std::span{records}.subspan(std::size_t{index} * form_.record_bytes, form_.record_bytes);
            auto length = field<std::uint32_t>(record, form_.in_slice.slices);
            if (length == 0 || length > slices - index) {
                figures_.damaged += length > slices - index ? 1U : 0U;
                length = 1;
            }
            count(record, slice_address(place_.first_slice + index), slice_address(place_.first_slice + index + length));
            index += length;
        }
        // What was committed and never taken: fresh, and so hardly ever resident.
        figures_.trimmable_bytes += pages_.resident_bytes(slice_address(place_.used_slices), pages_.end());
    }

private:
    [[nodiscard]] std::uint64_t slice_address(std::uint32_t slice) const {
        return place_.base + (std::uint64_t{slice} << form_.slice_log2);
    }

    void count(std::span<const std::byte> record, std::uint64_t from, std::uint64_t to) {
        const auto owner = field<std::uint64_t>(record, form_.in_slice.owner);
        const std::uint64_t resident = pages_.resident_bytes(from, to);
        if (owner == form_.owners.free) {
            figures_.trimmable_bytes += resident;
        } else if (owner == form_.owners.metadata) {
            figures_.metadata_bytes += resident;
        } else if (owner == form_.owners.large) {
            const std::uint64_t end = std::min(to, from + std::uint64_t{field<std::uint32_t>(record, form_.in_slice.pages)} * kPageBytes);
            const std::uint64_t live = pages_.resident_bytes(from, end);
            figures_.live_bytes += live;
            figures_.kept_bytes += resident - live;
            ++figures_.live_blocks;
            ++figures_.spans;
        } else if (owner == form_.owners.interior) {
            ++figures_.damaged;  // its head changed while the table was read
            figures_.live_bytes += resident;
        } else if ((owner & form_.owners.bump) == form_.owners.bump) {
            count_chunk(from, to);
        } else if (field<std::uint8_t>(record, form_.in_slice.state) == form_.mixed.state) {
            count_mixed(record, from, to);
        } else {
            count_span(record, from, to);
        }
    }

    enum class Block : std::uint8_t { live, free, cached };

    /// Marks the blocks of a list; one that leaves the span is not believed any further. Among short blocks at hand may be some of other
    /// spans, where they count as live.
    void mark(std::uint64_t block, Block as, std::uint64_t from, std::uint32_t block_bytes) {
        const std::uint64_t first = block;
        const bool may_be_mixed = as == Block::cached && block_bytes <= kMostMixedBytes;
        for (std::size_t steps = 0; block != 0 && steps <= blocks_.size() + kMostKept; ++steps) {
            if (may_be_mixed && (block < from || block - from >= memory_of_span_.size())) {
                block = read_address(block);
                continue;
            }
            const std::uint64_t index = (block - from) / block_bytes;
            if (block < from || index >= blocks_.size() || (block - from) % block_bytes != 0 || blocks_[index] != Block::live) {
                figures_.damaged += block == first ? 0U : 1U;
                return;
            }
            blocks_[index] = as;
            block = field<std::uint64_t>(memory_of_span_, static_cast<std::uint32_t>(block - from));
        }
    }

    /// Blocks of a bump place: from header to header, neighbours of one kind together.
    void count_chunk(std::uint64_t from, std::uint64_t to) {
        constexpr std::uint32_t kHeaderBytes = 8;
        constexpr std::uint32_t kUnitsMask = 0xFFFF;
        memory_of_span_.resize(to - from);
        memory_.read(from, memory_of_span_);
        ++figures_.spans;
        std::uint64_t header = from + form_.bump.unit_bytes - kHeaderBytes;
        std::uint64_t run = from;
        Block kind = Block::free;
        while (header + kHeaderBytes < to) {
            const auto tag = field<std::uint32_t>(memory_of_span_, static_cast<std::uint32_t>(header - from));
            const std::uint64_t units = field<std::uint32_t>(memory_of_span_, static_cast<std::uint32_t>(header - from) + 4) & kUnitsMask;
            const bool is_live = tag == form_.bump.live_tag;
            if ((!is_live && tag != form_.bump.freed_tag) || units == 0 || units * form_.bump.unit_bytes > to - header) {
                break;
            }
            figures_.live_blocks += is_live ? 1U : 0U;
            if (const Block met = is_live ? Block::live : Block::free; met != kind) {
                count_run(kind, run, header, true);
                kind = met;
                run = header;
            }
            header += units * form_.bump.unit_bytes;
        }
        if (kind == Block::live) {
            count_run(kind, run, header, true);
            run = header;
        }
        count_run(Block::free, run, to, true);  // trim leaves what a chunk holds back
    }

    /// Blocks of any size: runs of granules that blocks have, and that none has.
    void count_mixed(std::span<const std::byte> slice, std::uint64_t from, std::uint64_t to) {
        const std::uint64_t table = read_address(reinterpret_cast<std::uint64_t>(form_.mixed.table));
        const std::uint64_t record =
            table == 0 ? 0 : read_address(table + ((from - place_.base) >> form_.slice_log2) * sizeof(std::uint64_t));
        const std::uint64_t granules = (to - from) / std::max(form_.mixed.granule_bytes, 1U);
        Bits used(granules / kBits);
        Bits last(used.size());
        ++figures_.spans;
        unit_bytes_ = kPageBytes;
        if (record == 0) {  // it became mixed, or empty, while the table was read
            ++figures_.damaged;
            figures_.live_bytes += pages_.resident_bytes(from, to);
            return;
        }
        memory_.read(record + form_.mixed.used, std::as_writable_bytes(std::span{used}));
        memory_.read(record + form_.mixed.last, std::as_writable_bytes(std::span{last}));
        memory_of_span_.resize(to - from);
        memory_.read(from, memory_of_span_);
        forget_freed(field<std::uint64_t>(slice, form_.in_slice.local_free_list), from, used, last);
        for (const std::uint64_t block : at_hand_between(from, to)) {
            forget_block((block - from) / form_.mixed.granule_bytes, used, last);
        }
        const auto is_used = [&](std::uint64_t granule) { return is_set(used, granule); };
        std::uint64_t run = 0;
        for (std::uint64_t granule = 0; granule < used.size() * kBits; ++granule) {
            figures_.live_blocks += last[granule / kBits] >> (granule % kBits) & 1;
            if (granule + 1 == used.size() * kBits || is_used(granule + 1) != is_used(granule)) {
                const Block kind = is_used(granule) ? Block::live : Block::free;
                count_run(kind, from + run * form_.mixed.granule_bytes, from + (granule + 1) * form_.mixed.granule_bytes, false);
                run = granule + 1;
            }
        }
    }

    using Bits = std::vector<std::uint64_t>;
    static constexpr std::uint32_t kBits = 64;
    static bool is_set(const Bits& bits, std::uint64_t at) { return (bits[at / kBits] >> (at % kBits) & 1) != 0; }

    static void clear(Bits& bits, std::uint64_t at) { bits[at / kBits] &= ~(std::uint64_t{1} << (at % kBits)); }

    /// Takes the bits of the block that begins there.
    static void forget_block(std::uint64_t granule, Bits& used, Bits& last) {
        for (; granule + 1 < used.size() * kBits && !is_set(last, granule); ++granule) {
            clear(used, granule);
        }
        clear(used, granule);
        clear(last, granule);
    }

    [[nodiscard]] std::span<const std::uint64_t> at_hand_between(std::uint64_t from, std::uint64_t to) const {
        return {std::ranges::lower_bound(at_hand_, from), std::ranges::lower_bound(at_hand_, to)};
    }

    /// Blocks of a mixed span that its owner freed since it looked last have their bits still.
    void forget_freed(std::uint64_t block, std::uint64_t from, Bits& used, Bits& last) {
        while (block >= from && (block - from) / form_.mixed.granule_bytes < used.size() * kBits) {
            const std::uint64_t granule = (block - from) / form_.mixed.granule_bytes;
            if (!is_set(used, granule)) {
                return;  // it was settled while this was read
            }
            forget_block(granule, used, last);
            block = field<std::uint64_t>(memory_of_span_, static_cast<std::uint32_t>(block - from));
        }
    }

    void count_span(std::span<const std::byte> record, std::uint64_t from, std::uint64_t to) {
        const auto block_bytes = field<std::uint32_t>(record, form_.in_slice.block_bytes);
        const auto carved = field<std::uint32_t>(record, form_.in_slice.carved);
        if (block_bytes < 8 || std::uint64_t{carved} * block_bytes > to - from) {
            ++figures_.damaged;
            figures_.live_bytes += pages_.resident_bytes(from, to);
            return;
        }
        blocks_.assign(carved, Block::live);
        const auto local = field<std::uint64_t>(record, form_.in_slice.local_free_list);
        const auto remote = field<std::uint64_t>(record, form_.in_slice.remote_list) & ~std::uint64_t{7};
        if ((local | remote) != 0) {
            memory_of_span_.resize(to - from);
            memory_.read(from, memory_of_span_);
            mark(local, Block::free, from, block_bytes);
            mark(remote, Block::free, from, block_bytes);
        }
        for (const std::uint64_t block : at_hand_between(from, to)) {
            const std::uint64_t index = (block - from) / block_bytes;
            if ((block - from) % block_bytes == 0 && index < blocks_.size() && blocks_[index] == Block::live) {
                blocks_[index] = Block::cached;
            }
        }
        unit_bytes_ = std::max(kPageBytes, (to - from) / std::max(form_.units, 1U));
        const auto units = field<std::uint32_t>(record, form_.in_slice.pages);
        const bool is_meshed = (to - from) >> form_.slice_log2 == 1 && (units & form_.mesh.bit) != 0;
        if (is_meshed) {
            mark_meshed(static_cast<std::uint32_t>((from - place_.base) >> form_.slice_log2));
        } else {
            mark_absent(units, block_bytes);
        }
        // Malloc takes from an active span: nobody but its thread gives anything back of it.
        const bool is_active = field<std::uint8_t>(record, form_.in_slice.state) == 0;
        ++figures_.spans;
        std::uint64_t run = 0;
        for (std::size_t index = 0; index < blocks_.size(); ++index) {
            figures_.live_blocks += blocks_[index] == Block::live ? 1U : 0U;
            if (index + 1 == blocks_.size() || blocks_[index + 1] != blocks_[index]) {
                // What lies behind the last block is as free as what was never carved.
                const bool reaches_end = index + 1 == blocks_.size() && blocks_[index] == Block::free;
                count_run(blocks_[index], from + run * block_bytes, reaches_end ? to : from + (index + 1) * block_bytes, is_active);
                run = index + 1;
            }
        }
        if (blocks_.empty() || blocks_.back() != Block::free) {
            count_run(Block::free, from + std::uint64_t{carved} * block_bytes, to, is_active);
        }
    }

    /// Blocks that reach into a unit that was given back are free, and in no list.
    void mark_absent(std::uint32_t units, std::uint32_t block_bytes) {
        for (std::size_t index = 0; units != 0 && index < blocks_.size(); ++index) {
            const std::uint64_t last = (std::uint64_t{index + 1} * block_bytes - 1) / unit_bytes_;
            for (std::uint64_t unit = std::uint64_t{index} * block_bytes / unit_bytes_; unit <= last && unit < 32; ++unit) {
                blocks_[index] = (units >> unit & 1) != 0 ? Block::free : blocks_[index];
            }
        }
    }

    /// Free blocks of a span that shares its memory are in no list: bits tell of them.
    void mark_meshed(std::uint32_t slice) {
        const std::uint64_t table = read_address(reinterpret_cast<std::uint64_t>(form_.mesh_table));
        const std::uint64_t record = table == 0 ? 0 : read_address(table + std::uint64_t{slice} * sizeof(std::uint64_t));
        std::vector<std::byte> bits((blocks_.size() + 63) / 64 * 8);
        if (record == 0 || memory_.read(record + form_.mesh.record_bytes, bits) != bits.size()) {
            ++figures_.damaged;
            return;
        }
        for (std::size_t index = 0; index < blocks_.size(); ++index) {
            const bool is_free = (std::to_integer<unsigned>(bits[index / 8]) >> (index % 8) & 1) != 0;
            blocks_[index] = is_free ? Block::free : blocks_[index];
        }
    }

    std::uint64_t read_address(std::uint64_t from) { return memory_.object<std::uint64_t>(from).value_or(0); }

    void count_run(Block kind, std::uint64_t from, std::uint64_t to, bool is_active) {
        const std::uint64_t resident = pages_.resident_bytes(from, to);
        if (kind == Block::live) {
            figures_.live_bytes += resident;
        } else if (kind == Block::cached) {
            figures_.cached_bytes += resident;
        } else {
            const std::uint64_t whole = page_up(from) < page_down(to) ? pages_.resident_bytes(page_up(from), page_down(to)) : 0;
            const std::uint64_t first_unit = (from + unit_bytes_ - 1) / unit_bytes_ * unit_bytes_;
            const std::uint64_t end_of_units = to / unit_bytes_ * unit_bytes_;
            const std::uint64_t in_units = !is_active && first_unit < end_of_units ? pages_.resident_bytes(first_unit, end_of_units) : 0;
            figures_.trimmable_bytes += in_units;
            figures_.kept_bytes += whole - in_units;
            figures_.pinned_bytes += resident - whole;
        }
    }

    MemorySource& memory_;
    const HeapDescriptor& form_;
    const RegionPlace& place_;
    const PageRun& pages_;
    std::span<const std::uint64_t> at_hand_;
    SpanFigures& figures_;
    std::vector<Block> blocks_;
    std::vector<std::byte> memory_of_span_;
    std::uint64_t unit_bytes_ = kPageBytes;
};

Result<HeapwrightHeap> read_regions(MemorySource& memory, const HeapDescriptor& form) {
    if (form.version != kHeapDescriptorVersion) {
        return fail_with(Errc::unsupported_version, form.version);
    }
    HeapwrightHeap heap;
    heap.descriptor = form;
    constexpr std::uint32_t kMostRecord = 1 << 16;
    if (form.region_bytes > kMostRecord || form.record_bytes > kMostRecord || form.record_bytes == 0 || form.slice_log2 < kPageLog2 ||
        form.slice_log2 > 30) {
        return fail_with(Errc::damaged_data);
    }
    std::vector<std::byte> record(form.region_bytes);
    auto address = reinterpret_cast<std::uint64_t>(form.region);
    while (address != 0 && heap.regions.size() < kMostRegions && memory.read(address, record) == record.size()) {
        const RegionPlace place{.base = field<std::uint64_t>(record, form.in_region.base),
                                .bytes = field<std::uint64_t>(record, form.in_region.bytes),
                                .first_slice = field<std::uint32_t>(record, form.in_region.first_slice),
                                .used_slices = field<std::uint32_t>(record, form.in_region.used_slices)};
        const bool makes_sense = place.base % kPageBytes == 0 && place.first_slice <= place.used_slices &&
                                 place.used_slices <= kMostSlices && (std::uint64_t{place.used_slices} << form.slice_log2) <= place.bytes;
        if (place.base != 0 && makes_sense) {
            heap.regions.push_back(place);
        }
        address = field<std::uint64_t>(record, form.in_region.next);
    }
    return heap;
}

}  // namespace

const char* SpanFigures::broken_invariant() const {
    return live_bytes + cached_bytes + trimmable_bytes + kept_bytes + pinned_bytes + metadata_bytes == resident_bytes
               ? nullptr
               : "HH1: what the spans hold is not what is resident";
}

bool HeapwrightHeap::owns(std::uint64_t address) const {
    return std::any_of(regions.begin(), regions.end(), [address](const RegionPlace& place) { return address - place.base < place.bytes; });
}

Result<HeapwrightHeap> find_heapwright(MemorySource& memory, std::span<const ProcessMapping> mappings) {
    for (const ProcessMapping& mapping : mappings) {
        // The loader writes the descriptor's address of the region, so that its page is the process's own.
        if (!mapping.is_file() || mapping.anonymous_bytes == 0 || mapping.shared) {
            continue;
        }
        std::vector<std::byte> data(std::min(mapping.size_bytes(), kMostData));
        if (memory.read(mapping.start, data) == 0) {
            continue;
        }
        for (std::size_t offset = 0; offset + sizeof(HeapDescriptor) <= data.size(); offset += alignof(HeapDescriptor)) {
            if (std::memcmp(data.data() + offset, kHeapDescriptorMagic.data(), kHeapDescriptorMagic.size()) == 0) {
                HeapDescriptor form{};
                std::memcpy(&form, data.data() + offset, sizeof(form));
                return read_regions(memory, form);
            }
        }
    }
    return fail_with(Errc::not_found);
}

SpanFigures examine_heapwright(MemorySource& memory, std::span<const ProcessMapping> mappings, const HeapwrightHeap& heap) {
    SpanFigures figures;
    const std::vector<std::uint64_t> at_hand = blocks_at_hand(memory, heap);
    for (const RegionPlace& place : heap.regions) {
        std::uint64_t end = place.base;
        std::uint64_t counted = 0;
        for (const ProcessMapping& mapping : mappings) {
            if (mapping.writable && mapping.start >= place.base && mapping.end <= place.base + place.bytes) {
                end = mapping.end;
                counted += mapping.resident_bytes;
            }
        }
        const PageRun pages = memory.residency(place.base, end, counted);
        figures.resident_bytes += pages.resident_bytes();
        RegionCount(memory, heap.descriptor, place, pages, at_hand, figures).run();
    }
    return figures;
}

}  // namespace heapwright::study::doctor
