// Counted arrays: a handle to elements whose number is known at run time, Rc<T[]>.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

#include <heapwright/base/check.hpp>
#include <heapwright/own/rc/counted.hpp>
#include <heapwright/own/rc/make.hpp>

namespace heapwright {

namespace detail {
struct ArrayHandles;
}

/// Keeps an array alive. The length lies before the counts: 16 bytes before the elements, 8 in the handle.
///
/// Elements that hold handles are destroyed in a loop, as everything; but an array is no node of a cycle collector.
/// Thread safety: as Counted.
template <class T, class Policy>
class Counted<T[], Policy> {
    using Shape = detail::Shape<T, Policy, std::size_t>;
    using Lifetime = detail::Lifetime<detail::ArrayEnds<T, Policy>>;

public:
    using element_type = T;
    using policy_type = Policy;
    using weak_type = WeakCounted<T[], Policy>;

    constexpr Counted() noexcept = default;
    constexpr Counted(std::nullptr_t) noexcept {}
    HEAPWRIGHT_ALWAYS_INLINE Counted(const Counted& other) noexcept : first_(other.first_) {
        if (first_ != nullptr) {
            counts().add_strong();
        }
    }
    Counted(Counted&& other) noexcept : first_(std::exchange(other.first_, nullptr)) {}
    HEAPWRIGHT_ALWAYS_INLINE ~Counted() {
        if (first_ != nullptr && counts().drop_strong()) {
            Lifetime::end(first_);
        }
    }
    Counted& operator=(const Counted& other) noexcept {  // NOLINT(*-unhandled-self-assignment,cert-oop54-cpp): a copy is made first
        Counted(other).swap(*this);
        return *this;
    }
    Counted& operator=(Counted&& other) noexcept {
        Counted(std::move(other)).swap(*this);
        return *this;
    }
    void swap(Counted& other) noexcept { std::swap(first_, other.first_); }
    friend void swap(Counted& left, Counted& right) noexcept { left.swap(right); }
    void reset() noexcept { Counted().swap(*this); }

    [[nodiscard]] T* get() const noexcept { return first_; }
    [[nodiscard]] T* data() const noexcept { return first_; }
    [[nodiscard]] std::size_t size() const noexcept { return first_ == nullptr ? 0 : Shape::length(first_); }
    [[nodiscard]] T* begin() const noexcept { return first_; }
    [[nodiscard]] T* end() const noexcept { return first_ + size(); }
    [[nodiscard]] std::span<T> span() const noexcept { return {first_, size()}; }
    [[nodiscard]] T& operator[](std::size_t index) const noexcept {
        HEAPWRIGHT_ASSERT(index < size(), "an index past the end of a counted array");
        return first_[index];
    }
    [[nodiscard]] explicit operator bool() const noexcept { return first_ != nullptr; }

    [[nodiscard]] std::uint32_t strong_count() const noexcept { return first_ == nullptr ? 0 : counts().strong(); }
    [[nodiscard]] std::uint32_t weak_count() const noexcept { return first_ == nullptr ? 0 : counts().weak(); }
    [[nodiscard]] bool is_unique() const noexcept { return first_ != nullptr && counts().is_unique(); }
    [[nodiscard]] weak_type downgrade() const noexcept { return weak_type(*this); }
    /// Returns:  the elements, if nobody else can see them; else none.
    [[nodiscard]] std::span<T> get_mut() noexcept { return is_unique() ? span() : std::span<T>{}; }

    [[nodiscard]] bool operator==(const Counted& other) const noexcept { return first_ == other.first_; }
    [[nodiscard]] bool operator==(std::nullptr_t) const noexcept { return first_ == nullptr; }

private:
    friend struct detail::ArrayHandles;
    friend weak_type;

    explicit Counted(T* first) noexcept : first_(first) {}
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE typename Policy::Counts& counts() const noexcept { return Shape::counts(first_); }

    T* first_ = nullptr;
};

/// Watches an array.
template <class T, class Policy>
class WeakCounted<T[], Policy> {
    using Strong = Counted<T[], Policy>;
    using Shape = detail::Shape<T, Policy, std::size_t>;

public:
    constexpr WeakCounted() noexcept = default;
    WeakCounted(const Strong& strong) noexcept : WeakCounted(strong.get(), 0) {}
    WeakCounted(const WeakCounted& other) noexcept : WeakCounted(other.first_, 0) {}
    WeakCounted(WeakCounted&& other) noexcept : first_(std::exchange(other.first_, nullptr)) {}
    ~WeakCounted() {
        if (first_ != nullptr) {
            detail::Lifetime<detail::ArrayEnds<T, Policy>>::drop_weak(first_);
        }
    }
    WeakCounted& operator=(WeakCounted other) noexcept {
        std::swap(first_, other.first_);
        return *this;
    }
    [[nodiscard]] Strong upgrade() const noexcept {
        return first_ != nullptr && Shape::counts(first_).try_add_strong() ? Strong(first_) : Strong();
    }
    [[nodiscard]] bool is_expired() const noexcept { return first_ == nullptr || Shape::counts(first_).strong() == 0; }

private:
    WeakCounted(T* first, int /*watches*/) noexcept : first_(first) {
        if (first_ != nullptr) {
            Shape::counts(first_).add_weak();
        }
    }

    T* first_ = nullptr;
};

namespace detail {

struct ArrayHandles {
    /// Destroys what was built, last first, and gives the block back, unless told that all is well.
    template <class T, class Policy>
    struct Building {
        using Shape = detail::Shape<T, Policy, std::size_t>;
        T* first;
        std::size_t built = 0;
        explicit Building(T* place) noexcept : first(place) {}
        Building(const Building&) = delete;
        Building& operator=(const Building&) = delete;
        ~Building() {
            if (first != nullptr) {
                const Layout layout = ArrayEnds<T, Policy>::layout(first);
                std::destroy_n(first, built);
                Shape::free_block(first, layout);
            }
        }
    };

    /// `make(place, index)` builds one element.
    template <class T, class Policy, class Make>
    [[nodiscard]] static Counted<T[], Policy> build(void* block, std::size_t offset, std::size_t length, bool has_prefix, Make make) {
        using Shape = detail::Shape<T, Policy, std::size_t>;
        auto* const first = reinterpret_cast<T*>(static_cast<std::byte*>(block) + offset);
        ::new (static_cast<void*>(&Shape::counts(first))) typename Policy::Counts(has_prefix);
        Shape::length(first) = length;
        Building<T, Policy> building{first};
        for (; building.built < length; ++building.built) {
            make(first + building.built, building.built);
        }
        building.first = nullptr;
        return Counted<T[], Policy>(first);
    }

    template <class T, class Policy, class Make>
    [[nodiscard]] static Counted<T[], Policy> try_make(SourceRef source, std::size_t length, Make make) {
        using Shape = detail::Shape<T, Policy, std::size_t>;
        const std::size_t offset = source ? Shape::prefixed_offset() : Shape::offset();
        const auto elements = Layout::array<T>(length);
        std::size_t bytes = 0;
        if (!elements || add_overflows(offset, elements->size, &bytes)) {
            return {};
        }
        const Layout layout{.size = bytes, .alignment = Shape::alignment()};
        if (!layout.is_valid()) {
            return {};
        }
        void* const block = source ? source.try_allocate(layout) : Policy::Blocks::try_allocate(layout);
        if (block == nullptr) {
            return {};
        }
        if (source) {
            auto* const first = reinterpret_cast<T*>(static_cast<std::byte*>(block) + offset);
            ::new (static_cast<void*>(&Shape::prefix(first))) SourcePrefix{source, layout};
        }
        return build<T, Policy>(block, offset, length, static_cast<bool>(source), make);
    }
};

}  // namespace detail

/// Returns:  the first handle of `length` elements, each value-initialised; an empty one when memory is refused.
///           Any integer is a length, a negative one is refused as too much. Zero elements make a handle that is not empty.
///           When a constructor throws, those built are destroyed.
template <class T, class Policy, std::integral Length>
    requires std::is_unbounded_array_v<T>
[[nodiscard]] Counted<T, Policy> try_make_counted(Length length, SourceRef source = {}) {
    using Element = std::remove_extent_t<T>;
    return detail::ArrayHandles::try_make<Element, Policy>(
        source, static_cast<std::size_t>(length), [](Element* place, std::size_t) { ::new (static_cast<void*>(place)) Element(); });
}

/// Requires: memory suffices (checked).
template <class T, class Policy, std::integral Length>
    requires std::is_unbounded_array_v<T>
[[nodiscard]] Counted<T, Policy> make_counted(Length length, SourceRef source = {}) {
    Counted<T, Policy> made = try_make_counted<T, Policy>(length, source);
    HEAPWRIGHT_CHECK(made.get() != nullptr, detail::kNoMemory);
    return made;
}

/// A counted copy of the elements of a range.
template <class T, class Policy>
[[nodiscard]] Counted<T[], Policy> make_counted_copy(std::span<const T> elements, SourceRef source = {}) {
    auto made = detail::ArrayHandles::try_make<T, Policy>(
        source, elements.size(), [&](T* place, std::size_t index) { ::new (static_cast<void*>(place)) T(elements[index]); });
    HEAPWRIGHT_CHECK(made.get() != nullptr, detail::kNoMemory);
    return made;
}

}  // namespace heapwright
