// An object in a block of its own that remembers the source it came from, so that its owner needs one word only.
#pragma once

#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include <heapwright/base/block_source.hpp>
#include <heapwright/base/layout.hpp>

namespace heapwright::detail {

template <class T>
struct Boxed {
    template <class... Args>
    explicit Boxed(SourceRef from, Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>)
        : source(from), value(std::forward<Args>(args)...) {}

    SourceRef source;
    T value;
};

/// Gives a block back to its source unless it was released: for constructors that throw.
class BlockGuard {
public:
    BlockGuard(SourceRef source, void* block, Layout layout) noexcept : source_(source), block_(block), layout_(layout) {}
    BlockGuard(const BlockGuard&) = delete;
    BlockGuard& operator=(const BlockGuard&) = delete;
    ~BlockGuard() {
        if (block_ != nullptr) {
            source_.deallocate(block_, layout_);
        }
    }
    void release() noexcept { block_ = nullptr; }

private:
    SourceRef source_;
    void* block_;
    Layout layout_;
};

/// Returns: nullptr when the source refuses.
template <class T, class... Args>
[[nodiscard]] Boxed<T>* try_make_boxed(SourceRef source, Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>) {
    void* const block = source.try_allocate(Layout::of<Boxed<T>>());
    if (block == nullptr) {
        return nullptr;
    }
    BlockGuard guard{source, block, Layout::of<Boxed<T>>()};
    auto* const made = ::new (block) Boxed<T>(source, std::forward<Args>(args)...);
    guard.release();
    return made;
}

template <class T>
void destroy_boxed(Boxed<T>* boxed) noexcept {
    static_assert(std::is_nothrow_destructible_v<T>, "a destructor that throws leaves nobody to tell");
    const SourceRef source = boxed->source;
    std::destroy_at(boxed);
    source.deallocate(boxed, Layout::of<Boxed<T>>());
}

}  // namespace heapwright::detail
