// Which spans a thread's blocks should leave: of each class, the fullest spans that hold all its blocks stay.
#include <heapwright/alloc/heap/evacuation.hpp>

#include <algorithm>
#include <array>

#include <heapwright/alloc/heap/detail/heap_core.hpp>
#include <heapwright/alloc/heap/detail/page_return.hpp>
#include <heapwright/alloc/heap/detail/regions.hpp>
#include <heapwright/alloc/heap/heap.hpp>
#include <heapwright/base/check.hpp>

namespace heapwright {
namespace heap {
namespace {

/// Spans are told apart by how full they are in so many steps; those of one step count as equal.
constexpr std::uint32_t kSteps = 16;

std::uint32_t step_of(const Span& span) noexcept { return span.live() * kSteps / span.capacity; }

bool may_leave(const Span& span) noexcept {
    // Relaxed: written by the owner, who asks, or under the lock that it holds.
    return !owner::is_unusual(span.owner.load(std::memory_order_relaxed)) && !span.is_meshed() && !span.is_mixed();
}

/// The spans of one class, counted by how full they are; then, how many of each step stay.
class ClassCensus {
public:
    void count(const Span& span) noexcept {
        ++spans_[step_of(span)];
        live_ += span.live();
        capacity_ = span.capacity;
    }
    /// Keeps the fullest spans that have room for all blocks.
    void choose() noexcept {
        auto left = capacity_ == 0 ? 0 : static_cast<std::uint32_t>((live_ + capacity_ - 1) / capacity_);
        for (std::uint32_t step = kSteps + 1; step-- > 0;) {
            spans_[step] = std::min(spans_[step], left);
            left -= spans_[step];
        }
    }
    /// Whether a span stays. Each that does is counted off.
    [[nodiscard]] bool keeps(const Span& span) noexcept {
        std::uint32_t& left = spans_[step_of(span)];
        return left != 0 && left-- != 0;
    }

private:
    std::array<std::uint32_t, kSteps + 1> spans_{};
    std::uint64_t live_ = 0;
    std::uint32_t capacity_ = 0;
};

}  // namespace

/// Takes over what threads that are gone left behind.
void ThreadCache::adopt_all() noexcept {
    for (unsigned number = 0; number < kClassCount; ++number) {
        while (Span* const span = heap_->claim_any(static_cast<SizeClass>(number), thread())) {
            add(span);
            take_remote(span);
            place(span);
        }
    }
}

void ThreadCache::take_leaving_back() noexcept {
    Span* following = nullptr;
    for (Span* span = all_; span != nullptr; span = following) {
        following = span->cache_next;
        if (span->state == SpanState::leaving) {
            span->state = SpanState::full;
            place(span);
        }
    }
}

void ThreadCache::leave(Span* span) noexcept {
    unlist(span);
    span->state = SpanState::leaving;
    place(span);
}

EvacuationFigures ThreadCache::begin_evacuation() noexcept {
    const os::LockGuard guard(visit_lock_);
    ++passages_;
    take_leaving_back();
    put_actives_aside();
    answer_notices(~0U);
    adopt_all();
    std::array<ClassCensus, kClassCount> classes{};
    for (const Span* span = all_; span != nullptr; span = span->cache_next) {
        if (may_leave(*span)) {
            classes[span->size_class].count(*span);
        }
    }
    std::ranges::for_each(classes, &ClassCensus::choose);
    EvacuationFigures figures;
    Span* following = nullptr;
    for (Span* span = all_; span != nullptr; span = following) {
        following = span->cache_next;
        if (may_leave(*span) && !classes[span->size_class].keeps(*span)) {
            ++figures.spans;
            figures.blocks += span->live();
            figures.bytes += std::size_t{span->live()} * span->block_bytes;
            figures.recoverable += span->slices * kSliceBytes - absent_bytes(span->absent(), span->slices);
            leave(span);
        }
    }
    return figures;
}

void ThreadCache::end_evacuation() noexcept {
    const os::LockGuard guard(visit_lock_);
    ++passages_;
    take_leaving_back();
}

}  // namespace heap

namespace default_heap {

EvacuationFigures begin_evacuation() noexcept {
    heap::ThreadCache* const cache = heap::cache_of_thread();
    return cache == nullptr ? EvacuationFigures() : cache->begin_evacuation();
}

void end_evacuation() noexcept {
    if (heap::ThreadCache* const cache = heap::cache_of_thread(); cache != nullptr) {
        cache->end_evacuation();
    }
}

}  // namespace default_heap

Evacuation::Evacuation(heap::ThreadCache* cache) noexcept : cache_(cache) {
    if (cache_ != nullptr) {
        figures_ = cache_->begin_evacuation();
    }
}

Evacuation::Evacuation() noexcept : Evacuation(heap::cache_of_thread()) {}

Evacuation::Evacuation(Heap& heap) noexcept : Evacuation(heap::cache_of_thread(heap.core_)) {}

Evacuation::~Evacuation() {
    if (cache_ != nullptr) {
        HEAPWRIGHT_CHECK(cache_->thread() == heap::thread_pointer(), "an evacuation is ended by the thread that began it");
        cache_->end_evacuation();
    }
}

std::size_t Evacuation::should_move(std::span<const void* const> blocks, std::span<bool> answers) noexcept {
    HEAPWRIGHT_CHECK(answers.size() >= blocks.size(), "an evacuation needs room for as many answers as it is asked about blocks");
    std::size_t moving = 0;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        answers[i] = should_move(blocks[i]);
        moving += answers[i] ? 1U : 0U;
    }
    return moving;
}

bool Evacuation::should_move_slow(const void* block) noexcept {
    heap::Span* const span = heap::find_span(block);
    const heap::Span* const head = span == nullptr ? nullptr : heap::record_of_first(span);
    return head != nullptr && is_of_this_thread(*head) && head->state == heap::SpanState::leaving;
}

}  // namespace heapwright
