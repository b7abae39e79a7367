// Memory that the program maps itself: unlike a block, a mapping may be given back in parts, or be mapped over.
#include <algorithm>
#include <iterator>

#include <heapwright/study/analysis/census.hpp>

namespace heapwright::study {
namespace {

using trace::Call;
using trace::Event;

/// One past the last byte, at the end of its OS page, as the kernel rounds it. Saturates.
std::uint64_t end_of(std::uint64_t address, std::uint64_t bytes) {
    constexpr std::uint64_t kLast = ~(kOsPageBytes - 1);
    return bytes < kLast - std::min(address, kLast) ? (address + bytes + kOsPageBytes - 1) / kOsPageBytes * kOsPageBytes : kLast;
}

}  // namespace

void Census::unmap(const Event& event, ThreadState& thread) {
    cut_mappings(event.address, end_of(event.address, event.size), &event, &thread);
}

void Census::note_mapping(const Event& event) { mappings_[event.address] = end_of(event.address, event.size); }

/// Takes [from, to) out of all mappings. A mapping that goes whole is a release, if there is an event for it; what is
/// left of others stays, as smaller ones of the same site.
void Census::cut_mappings(std::uint64_t from, std::uint64_t to, const Event* release, ThreadState* thread) {
    auto mapping = mappings_.upper_bound(from);
    if (mapping != mappings_.begin() && std::prev(mapping)->second > from) {
        --mapping;
    }
    while (mapping != mappings_.end() && mapping->first < to) {
        const auto [begin, end] = *mapping;
        mapping = mappings_.erase(mapping);
        BlockRecord* found = live_.find(begin);
        if (found == nullptr || static_cast<Call>(found->call) != Call::map) {
            continue;  // something else was handed out there
        }
        const BlockRecord whole = *found;
        const bool is_released = release != nullptr && from <= begin && end <= to;
        if (is_released) {
            Event of_block = *release;
            of_block.address = begin;
            count_release(whole, whole.entered, of_block, *thread);
        }
        leave(whole, is_released);
        live_.erase(found);
        if (begin < from) {
            put_piece(whole, begin, from);
        }
        if (to < end) {
            put_piece(whole, to, end);
        }
    }
}

/// A part of a mapping that lives on. It is the same memory, so it counts as no allocation.
void Census::put_piece(const BlockRecord& whole, std::uint64_t begin, std::uint64_t end) {
    BlockRecord piece = whole;
    piece.address = begin;
    piece.size = (end - begin) & kLargestSize;
    piece.entered = stamps_.last();
    piece.off_pages = 0;
    auto [place, is_new] = live_.insert(piece);
    if (!is_new) {
        return;  // mappings over blocks: only in damaged traces
    }
    const std::uint64_t size = piece.size;
    const std::uint64_t usable = usable_.usable(size);
    const std::uint64_t weight = scale_.weight(size);
    place->off_pages = pages_.add(begin, std::max<std::uint64_t>(usable, 1)) ? 0 : 1;
    totals_.blocks += weight;
    totals_.requested += weight * size;
    totals_.usable += weight * usable;
    sites_.kept(piece);
    mappings_[begin] = end;
}

}  // namespace heapwright::study
