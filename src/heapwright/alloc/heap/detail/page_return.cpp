// Which units of a span are free throughout is counted in one walk of its list; their blocks leave the list in another.
//
// While the span's thread may free into it, these words are shared with the two stores of a free, `freed->next` and
// `local_free`: a block whose address was loaded from local_free was freed before, and what follows it in the list changes here
// only. So the list is cut behind its first block, never before it, and each step leaves a list of free blocks.
#include <heapwright/alloc/heap/detail/page_return.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>

#include <heapwright/alloc/heap/detail/mesh_record.hpp>
#include <heapwright/alloc/heap/detail/mixed_record.hpp>
#include <heapwright/alloc/heap/detail/region.hpp>
#include <heapwright/os/pages.hpp>

namespace heapwright::heap {

namespace {

/// The units of one span, and which blocks lie in them.
class Units {
public:
    explicit Units(const Span* span) noexcept
        : start_(span->start),
          block_bytes_(span->block_bytes),
          carved_(span->carved),
          log2_(static_cast<unsigned>(std::countr_zero(unit_bytes(span->slices)))),
          count_(static_cast<std::uint32_t>((span->slices * kSliceBytes) >> log2_)) {}

    [[nodiscard]] std::uint32_t count() const noexcept { return count_; }
    [[nodiscard]] std::size_t bytes() const noexcept { return std::size_t{1} << log2_; }
    [[nodiscard]] std::size_t carved_bytes() const noexcept { return std::size_t{carved_} * block_bytes_; }
    [[nodiscard]] std::size_t span_bytes() const noexcept { return std::size_t{count_} << log2_; }
    [[nodiscard]] std::size_t offset_of(const FreeBlock* block) const noexcept {
        return static_cast<std::size_t>(reinterpret_cast<const char*>(block) - start_);
    }
    [[nodiscard]] FreeBlock* block_at(std::uint32_t index) const noexcept {
        return reinterpret_cast<FreeBlock*>(start_ + std::size_t{index} * block_bytes_);
    }
    [[nodiscard]] char* unit_at(std::uint32_t unit) const noexcept { return start_ + (std::size_t{unit} << log2_); }
    /// Whether a program that wrote into freed memory spared what leads to this block.
    [[nodiscard]] bool is_believable(const FreeBlock* block) const noexcept { return offset_of(block) < carved_bytes(); }

    /// A bit for each unit that the bytes [from, to) touch.
    [[nodiscard]] std::uint32_t touched(std::size_t from, std::size_t to) const noexcept {
        const auto first = static_cast<std::uint32_t>(from >> log2_);
        const auto last = static_cast<std::uint32_t>((to - 1) >> log2_);
        return (~std::uint32_t{0} << first) & (~std::uint32_t{0} >> (kUnitsOfSpan - 1 - last));
    }
    [[nodiscard]] std::uint32_t touched(const FreeBlock* block) const noexcept {
        const std::size_t from = offset_of(block);
        return touched(from, from + block_bytes_);
    }

    struct Range {
        std::uint32_t first;
        std::uint32_t last;
    };
    /// The blocks, of those ever made, that reach into the units [first, last).
    [[nodiscard]] Range blocks_in(std::uint32_t first, std::uint32_t last) const noexcept {
        const std::size_t from = std::size_t{first} << log2_;
        const std::size_t to = std::size_t{last} << log2_;
        const auto begin = static_cast<std::uint32_t>(from / block_bytes_);
        const auto end = static_cast<std::uint32_t>((to + block_bytes_ - 1) / block_bytes_);
        return {.first = std::min(begin, carved_), .last = std::min(end, carved_)};
    }
    /// Visits the blocks that reach into the units of `mask`, as ranges, each block once.
    template <class Visitor>
    void for_each_range(std::uint32_t mask, Visitor visit) const noexcept {
        std::uint32_t done = 0;
        for_each_run(mask, [&](std::uint32_t first, std::uint32_t last) {
            const Range range = blocks_in(first, last);
            const std::uint32_t begin = std::max(range.first, done);
            if (begin < range.last) {
                visit(Range{.first = begin, .last = range.last});
                done = range.last;
            }
        });
    }

private:
    char* start_;
    std::size_t block_bytes_;
    std::uint32_t carved_;
    unsigned log2_;
    std::uint32_t count_;
};

/// Free bytes of each unit.
class FreeBytes {
public:
    explicit FreeBytes(const Units& units) noexcept : units_(units) {}

    void add(std::size_t from, std::size_t to) noexcept {
        while (from < to) {
            const std::size_t unit = from / units_.bytes();
            const std::size_t end = std::min(to, (unit + 1) * units_.bytes());
            bytes_[unit] += end - from;
            from = end;
        }
    }
    /// The units that are free throughout.
    [[nodiscard]] std::uint32_t whole() const noexcept {
        std::uint32_t mask = 0;
        for (std::uint32_t unit = 0; unit < units_.count(); ++unit) {
            mask |= bytes_[unit] == units_.bytes() ? std::uint32_t{1} << unit : 0;
        }
        return mask;
    }

private:
    const Units& units_;
    std::array<std::size_t, kUnitsOfSpan> bytes_{};
};

/// The first block of the list, and what its thread wrote before it put it there.
FreeBlock* head_of(Span* span) noexcept {
    return std::atomic_ref(span->local_free).load(std::memory_order_acquire);  // pairs with the release in default_heap::release()
}

/// The units that can be given back; none where the list is not to be believed.
std::uint32_t free_units(const Span* span, const Units& units, const FreeBlock* head) noexcept {
    FreeBytes sums(units);
    for (std::uint32_t index = 0; index < span->carved; ++index) {
        __builtin_prefetch(units.block_at(index));  // so that the walk waits for memory once and not at each block
    }
    std::uint32_t steps = 0;
    for (const FreeBlock* block = head; block != nullptr; block = block->next) {
        if (!units.is_believable(block) || ++steps > span->carved) {
            return 0;
        }
        const std::size_t offset = units.offset_of(block);
        sums.add(offset, offset + span->block_bytes);
    }
    units.for_each_range(span->absent(), [&](const Units::Range& range) {
        sums.add(std::size_t{range.first} * span->block_bytes, std::size_t{range.last} * span->block_bytes);
    });
    sums.add(units.carved_bytes(), units.span_bytes());
    std::uint32_t mask = sums.whole() & ~span->absent();
    if (span->is_fresh && units.carved_bytes() != units.span_bytes()) {
        // What was never touched has no memory.
        const std::size_t touched = (units.carved_bytes() + units.bytes() - 1) & ~(units.bytes() - 1);
        mask &= touched == units.span_bytes() ? ~std::uint32_t{0} : ~units.touched(touched, units.span_bytes());
    }
    return mask;
}

/// Takes the blocks that reach into units of `mask` out of the list, behind its first block.
void cut_behind(FreeBlock* head, const Units& units, std::uint32_t mask) noexcept {
    FreeBlock* kept = head;
    for (FreeBlock* block = head->next; block != nullptr; block = block->next) {
        if ((units.touched(block) & mask) == 0) {
            kept = block;
        } else {
            kept->next = block->next;
        }
    }
}

}  // namespace

std::uint32_t absent_blocks_slow(const Span* span) noexcept {
    std::uint32_t blocks = 0;
    if (span->is_meshed()) {
        return meshed_free_blocks(span);
    }
    Units(span).for_each_range(span->absent(), [&](const Units::Range& range) { blocks += range.last - range.first; });
    return blocks;
}

std::uint32_t resting_blocks_slow(const Span* span) noexcept { return meshed_resting_blocks(span); }

void clear_absent_blocks(const Span* span, std::uint64_t* bits) noexcept {
    Units(span).for_each_range(span->absent(), [&](const Units::Range& range) {
        for (std::uint32_t index = range.first; index < range.last; ++index) {
            bits[index / 64] &= ~(std::uint64_t{1} << (index % 64));
        }
    });
}

std::size_t absent_bytes(std::uint32_t absent, std::uint32_t slices) noexcept {
    if (slices == 1) {
        absent &= ~Span::kMeshedBit;
    }
    std::size_t units = 0;
    for_each_run(absent, [&](std::uint32_t first, std::uint32_t last) { units += last - first; });
    return units * unit_bytes(slices);
}

std::size_t return_units(Span* span, bool is_alone) noexcept {
    if (span->is_mixed()) {
        return return_mixed_pages(span);
    }
    if (span->is_meshed()) {
        const std::size_t bytes = return_meshed_pages(span);
        g_given_back.fetch_add(bytes, std::memory_order_relaxed);  // a figure
        return bytes;
    }
    const Units units(span);
    FreeBlock* head = head_of(span);
    std::uint32_t mask = free_units(span, units, head);
    if (!is_alone && head != nullptr) {
        mask &= ~units.touched(head);
    }
    if (mask == 0) {
        return 0;
    }
    while (head != nullptr && (units.touched(head) & mask) != 0) {  // only where the caller is alone
        head = head->next;
        span->local_free = head;
    }
    if (head != nullptr) {
        cut_behind(head, units, mask);
    }
    std::atomic_signal_fence(std::memory_order_acq_rel);  // a child of fork loses these blocks rather than have them twice
    span->set_absent(span->absent() | mask);
    std::size_t given = 0;
    for_each_run(mask, [&](std::uint32_t first, std::uint32_t last) {
        const std::size_t bytes = (last - first) * units.bytes();
        given += os::discard(units.unit_at(first), bytes) ? bytes : 0;  // not where the program locked its memory
    });
    g_given_back.fetch_add(given, std::memory_order_relaxed);  // a figure
    return given;
}

bool take_units_back(Span* span) noexcept {
    if (span->is_meshed()) {
        return take_meshed_back(span);
    }
    const Units units(span);
    while (span->absent() != 0) {
        const auto unit = static_cast<std::uint32_t>(std::countr_zero(span->absent()));
        const std::uint32_t rest = span->absent() & (span->absent() - 1);
        span->set_absent(rest);
        std::atomic_signal_fence(std::memory_order_acq_rel);  // as above
        const Units::Range range = units.blocks_in(unit, unit + 1);
        FreeBlock* const before = span->local_free;
        for (std::uint32_t index = range.last; index-- > range.first;) {
            FreeBlock* const block = units.block_at(index);
            if ((units.touched(block) & rest) == 0) {
                block->next = span->local_free;
                span->local_free = block;
            }
        }
        if (span->local_free != before) {
            return true;
        }
    }
    return false;
}

bool is_dead(Span* span) noexcept {
    const Units units(span);
    const auto length = [&](const FreeBlock* block) {
        std::uint32_t count = 0;
        for (; block != nullptr && count <= span->carved && units.is_believable(block); block = block->next) {
            ++count;
        }
        return count;
    };
    // Pairs with the release in push_remote(). More may come, and only before these.
    const std::uint32_t remote = length(reinterpret_cast<const FreeBlock*>(span->remote.load(std::memory_order_acquire) & ~kWantsNotice));
    // The owner counts down before it puts a block into its list: where all are there, it knows of all but the remote ones.
    return remote > span->floor && remote + length(head_of(span)) + absent_blocks(span) == span->carved;
}

}  // namespace heapwright::heap
