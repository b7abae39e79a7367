// The bodies of MultiPool.
// Included at the end of the header that declares them, and nowhere else.
#pragma once

namespace heapwright {

inline MultiPool::MultiPool(std::span<const SizeClassOptions> classes, SourceRef source, MultiPoolOptions options) noexcept
    : options_(options), source_(source) {
    constexpr std::size_t kPage = 4096;
    HEAPWRIGHT_CHECK(classes.size() <= kMostClasses, "a MultiPool takes at most 32 classes: merge some");
    class_of_.fill(static_cast<std::uint8_t>(classes.size()));
    for (std::size_t index = 0; index < classes.size(); ++index) {
        HEAPWRIGHT_CHECK(classes[index].block_bytes > (index == 0 ? 0 : classes[index - 1].block_bytes),
                         "size classes must ascend and begin above 0 bytes");
    }
    void* const memory =
        classes.empty() ? nullptr : source.try_allocate({.size = classes.size() * sizeof(Class), .alignment = alignof(Class)});
    if (memory == nullptr) {
        class_of_.fill(0);
        return;  // without classes everything goes to the fallback, and the figures say so
    }
    classes_ = static_cast<Class*>(memory);
    for (const SizeClassOptions& wanted : classes) {
        const std::size_t natural = wanted.block_bytes & (0 - wanted.block_bytes);
        const Layout block{.size = wanted.block_bytes, .alignment = natural < kPage ? natural : kPage};
        ::new (static_cast<void*>(classes_ + count_))
            Class{block, source, {.limit_blocks = wanted.limit_blocks, .spare_bytes = options.spare_bytes, .leaks = options.leaks}};
        ++count_;
    }
    for (std::size_t entry = 0; entry < class_of_.size(); ++entry) {
        std::size_t index = 0;
        while (index < count_ && classes[index].block_bytes < entry * kGrain) {
            ++index;
        }
        class_of_[entry] = static_cast<std::uint8_t>(index);
    }
    while (first_untabled_ < count_ && classes[first_untabled_].block_bytes <= kTabled) {
        ++first_untabled_;
    }
}

inline MultiPool::~MultiPool() {
    HEAPWRIGHT_CHECK(fallback_blocks_ == 0 || options_.leaks == Leaks::forget,
                     "pool ended with blocks of its fallback still in use; free them, or say Leaks::forget");
    for (std::size_t index = count_; index > 0; --index) {
        classes_[index - 1].~Class();
    }
    if (classes_ != nullptr) {
        source_.deallocate(classes_, {.size = count_ * sizeof(Class), .alignment = alignof(Class)});
    }
}

inline void* MultiPool::try_allocate(Layout layout) noexcept { return serve(layout).block; }

inline SizedBlock MultiPool::try_allocate_at_least(Layout layout) noexcept {
    const Served served = serve(layout);
    return {.start = served.block, .size_bytes = served.size_bytes};
}

inline MultiPool::Served MultiPool::serve(Layout layout) noexcept {
    const std::size_t index = class_for(layout);
    if (HEAPWRIGHT_LIKELY(index < count_)) {
        Class& own = classes_[index];
        if (void* const block = own.pool.try_allocate()) {
            own.requested_bytes += layout.size;
            return {.block = block, .size_bytes = own.pool.block_bytes()};
        }
    }
    return serve_elsewhere(index, layout);
}

HEAPWRIGHT_NOINLINE inline MultiPool::Served MultiPool::serve_elsewhere(std::size_t first, Layout layout) noexcept {
    for (std::size_t index = first + 1; index < count_ && index - first <= options_.borrow_classes; ++index) {
        Class& larger = classes_[index];
        if (void* const block = larger.pool.try_allocate()) {
            larger.requested_bytes += layout.size;
            ++larger.borrowed;
            return {.block = block, .size_bytes = larger.pool.block_bytes()};
        }
    }
    void* const block = options_.fallback.try_allocate(layout);
    if (block == nullptr) {
        ++refusals_;
        return {.block = nullptr, .size_bytes = 0};
    }
    ++fallback_blocks_;
    ++fallback_total_;
    fallback_bytes_ += layout.size;
    return {.block = block, .size_bytes = layout.size};
}

inline void MultiPool::deallocate(void* block, Layout layout) noexcept {
    const std::size_t index = class_for(layout);
    if (HEAPWRIGHT_LIKELY(index < count_) && HEAPWRIGHT_LIKELY(classes_[index].pool.try_deallocate(block))) {
        classes_[index].requested_bytes -= layout.size;
        return;
    }
    deallocate_elsewhere(index, block, layout);
}

HEAPWRIGHT_NOINLINE inline void MultiPool::deallocate_elsewhere(std::size_t first, void* block, Layout layout) noexcept {
    for (std::size_t index = 0; index < count_; ++index) {
        Class& holder = classes_[index];
        const auto refuse_strange_size = [&] {
            if (index < first || index - first > options_.borrow_classes) {
                detail::refuse_wrong_size(block, layout.size, holder.pool.block_bytes());
            }
        };
        if (holder.pool.try_deallocate_after(block, refuse_strange_size)) {
            holder.requested_bytes -= layout.size;
            return;
        }
    }
    if (fallback_blocks_ == 0) {
        detail::refuse_foreign_block(block, layout.size);
    }
    --fallback_blocks_;
    fallback_bytes_ -= layout.size;
    options_.fallback.deallocate(block, layout);
}

inline bool MultiPool::owns(const void* block) const noexcept {
    for (std::size_t index = 0; index < count_; ++index) {
        if (classes_[index].pool.owns(block)) {
            return true;
        }
    }
    return false;
}

inline SizeClassStats MultiPool::class_stats(std::size_t index) const noexcept {
    HEAPWRIGHT_CHECK(index < count_, "there is no size class of this index");
    const PoolStats pool = classes_[index].pool.stats();
    return {.block_bytes = pool.block_bytes,
            .live_blocks = pool.live_blocks,
            .requested_bytes = classes_[index].requested_bytes,
            .usable_bytes = pool.live_blocks * pool.block_bytes,
            .borrowed = classes_[index].borrowed,
            .refusals = pool.refusals,
            .owned_bytes = pool.owned_bytes};
}

inline MultiPoolStats MultiPool::stats() const noexcept {
    MultiPoolStats stats{};
    for (std::size_t index = 0; index < count_; ++index) {
        const SizeClassStats one = class_stats(index);
        stats.all.live_blocks += one.live_blocks;
        stats.all.requested_bytes += one.requested_bytes;
        stats.all.usable_bytes += one.usable_bytes;
        stats.all.borrowed += one.borrowed;
        stats.all.refusals += one.refusals;
        stats.all.owned_bytes += one.owned_bytes;
    }
    stats.fallback_blocks = fallback_blocks_;
    stats.fallback_bytes = fallback_bytes_;
    stats.fallback_total = fallback_total_;
    stats.refusals = refusals_;
    return stats;
}

inline std::size_t MultiPool::trim() noexcept {
    std::size_t returned_bytes = 0;
    for (std::size_t index = 0; index < count_; ++index) {
        returned_bytes += classes_[index].pool.trim();
    }
    return returned_bytes;
}

inline const char* MultiPool::broken_invariant() const noexcept {
    for (std::size_t entry = 0; entry < class_of_.size(); ++entry) {
        const std::size_t index = class_of_[entry];
        if (index > count_ || (index < count_ && classes_[index].pool.block_bytes() < entry * kGrain) ||
            (index > 0 && classes_[index - 1].pool.block_bytes() >= entry * kGrain)) {
            return "MP1: the table names a class that is too small or too large";
        }
    }
    for (std::size_t index = 0; index < count_; ++index) {
        const SizeClassStats one = class_stats(index);
        if (one.requested_bytes > one.usable_bytes) {
            return "MP2: a class's blocks were asked for more than they hold";
        }
        if (const char* broken = classes_[index].pool.broken_invariant()) {
            return broken;
        }
    }
    return nullptr;
}

}  // namespace heapwright
