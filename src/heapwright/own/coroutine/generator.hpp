// A coroutine that gives a sequence, one element when it is asked for, with its frame from wherever you say.
#pragma once

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <iterator>
#include <memory>
#include <type_traits>
#include <utility>

#include <heapwright/base/check.hpp>
#include <heapwright/own/coroutine/detail/outcome_hosted.hpp>
#include <heapwright/own/coroutine/frame_policy.hpp>

namespace heapwright {

template <class T, class Frames, bool Passes>
class BasicGenerator;

/// `co_yield elements_of(generator)` gives all its elements, as a loop over it would, but at the price of one resumption an
/// element however deep generators are nested.
template <class G>
struct ElementsOf {
    G generator;
};
template <class T, class Frames, bool Passes>
[[nodiscard]] ElementsOf<BasicGenerator<T, Frames, Passes>> elements_of(BasicGenerator<T, Frames, Passes>&& generator) noexcept {
    return {std::move(generator)};
}

namespace detail {

/// What generators with the same elements have in common, whatever their frames: the nesting.
///
/// The outermost one knows the innermost, which is the one to resume; each nested one knows who yields its elements.
template <class Element, bool Passes>
class Nested {
public:
    void show(Element* element) noexcept { outermost_->element_ = element; }
    [[nodiscard]] Element* element() const noexcept { return element_; }

    /// Goes on to the next element: into the innermost generator. Called on the outermost.
    void advance() {
        element_ = nullptr;
        innermost_.resume();
        if constexpr (Passes) {
            exception_.rethrow();
        }
    }

    /// From now on elements come from `inner`.
    [[nodiscard]] std::coroutine_handle<> enter(Nested& inner, std::coroutine_handle<> inner_frame,
                                                std::coroutine_handle<> own_frame) noexcept {
        inner.outermost_ = outermost_;
        inner.outer_frame_ = own_frame;
        outermost_->innermost_ = inner_frame;
        return inner_frame;
    }
    /// Back to the one that yields these elements; to the caller from the outermost.
    [[nodiscard]] std::coroutine_handle<> leave() noexcept {
        if (outer_frame_ == nullptr) {
            return std::noop_coroutine();
        }
        outermost_->innermost_ = outer_frame_;
        return outer_frame_;
    }
    void starts_as(std::coroutine_handle<> frame) noexcept { innermost_ = frame; }
    void catch_current() noexcept { exception_.catch_current(); }
    void rethrow() { exception_.rethrow(); }

private:
    Nested* outermost_ = this;
    std::coroutine_handle<> innermost_;    // of the outermost only
    std::coroutine_handle<> outer_frame_;  // null in the outermost
    Element* element_ = nullptr;           // of the outermost only; null when there is none
    [[no_unique_address]] PassingException<Passes> exception_;
};

template <class T>
using GeneratedElement = std::conditional_t<std::is_reference_v<T>, std::remove_reference_t<T>, const T>;

template <class T, class Frames, bool Passes>
class GeneratorPromise : public Nested<GeneratedElement<T>, Passes>, public Frames {
public:
    using Generator = BasicGenerator<T, Frames, Passes>;
    using Element = GeneratedElement<T>;
    using Common = Nested<Element, Passes>;

    GeneratorPromise() noexcept { Common::starts_as(std::coroutine_handle<GeneratorPromise>::from_promise(*this)); }

    [[nodiscard]] Generator get_return_object() noexcept { return Generator{std::coroutine_handle<GeneratorPromise>::from_promise(*this)}; }
    [[nodiscard]] static Generator get_return_object_on_allocation_failure() noexcept { return Generator{}; }
    [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }

    struct Leave {
        [[nodiscard]] bool await_ready() const noexcept { return false; }
        [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<GeneratorPromise> ended) const noexcept {
            return ended.promise().leave();
        }
        void await_resume() const noexcept {}
    };
    [[nodiscard]] Leave final_suspend() const noexcept { return {}; }

    /// The element stays where it is, in the coroutine, until that is resumed.
    std::suspend_always yield_value(Element& element) noexcept {
        Common::show(std::addressof(element));
        return {};
    }
    // NOLINTNEXTLINE(cppcoreguidelines-rvalue-reference-param-not-moved): it stays where it is
    std::suspend_always yield_value(Element&& element) noexcept
        requires(!std::is_lvalue_reference_v<T>)
    {
        Common::show(std::addressof(element));
        return {};
    }

    template <class Inner>
    struct Enter {
        Inner inner;
        [[nodiscard]] bool await_ready() const noexcept {
            HEAPWRIGHT_CHECK(static_cast<bool>(inner), "the elements of a generator without a frame are asked for: test it first");
            return false;
        }
        [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<GeneratorPromise> outer) noexcept {
            return outer.promise().enter(inner.frame_.promise(), inner.frame_, outer);
        }
        void await_resume() { inner.frame_.promise().rethrow(); }
    };
    template <class U, class OtherFrames>
        requires std::same_as<GeneratedElement<U>, Element>
    [[nodiscard]] auto yield_value(ElementsOf<BasicGenerator<U, OtherFrames, Passes>> elements) noexcept {
        return Enter<BasicGenerator<U, OtherFrames, Passes>>{std::move(elements.generator)};
    }

    void unhandled_exception() noexcept { Common::catch_current(); }
    void return_void() const noexcept {}
    void await_transform() = delete;  // a generator waits for nobody but its caller: yield instead
};

}  // namespace detail

/// An input range over what a coroutine yields. `*iterator` is a `const T&` into the coroutine, or T itself where T is a
/// reference; nothing is copied.
///
/// Where the source of frames refuses, it comes back without a frame: test it. Move-only. One thread at a time.
/// Example: `Generator<int> below(int end) { for (int i = 0; i < end; ++i) { co_yield i; } }`
template <class T, class Frames, bool Passes>
class [[nodiscard]] BasicGenerator {
public:
    using promise_type = detail::GeneratorPromise<T, Frames, Passes>;
    using Element = detail::GeneratedElement<T>;

    class Iterator {
    public:
        using iterator_concept = std::input_iterator_tag;
        using value_type = std::remove_cv_t<Element>;
        using difference_type = std::ptrdiff_t;
        using reference = Element&;

        Iterator(Iterator&&) noexcept = default;
        Iterator& operator=(Iterator&&) noexcept = default;
        ~Iterator() = default;
        [[nodiscard]] Element& operator*() const noexcept { return *promise_->element(); }
        Iterator& operator++() {
            promise_->advance();
            return *this;
        }
        void operator++(int) { ++*this; }
        [[nodiscard]] friend bool operator==(const Iterator& at, std::default_sentinel_t) noexcept {
            return at.promise_->element() == nullptr;
        }

    private:
        friend class BasicGenerator;
        explicit Iterator(promise_type& promise) noexcept : promise_(&promise) {}
        promise_type* promise_;
    };

    /// Without a frame.
    constexpr BasicGenerator() noexcept = default;
    BasicGenerator(BasicGenerator&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
    BasicGenerator& operator=(BasicGenerator&& other) noexcept {
        BasicGenerator taken{std::move(other)};
        std::swap(frame_, taken.frame_);
        return *this;
    }
    ~BasicGenerator() {
        if (frame_ != nullptr) {
            frame_.destroy();
        }
    }

    /// Whether it has a frame: false when the source of frames refused, and after a move.
    [[nodiscard]] explicit operator bool() const noexcept { return frame_ != nullptr; }

    /// Runs to the first element.
    ///
    /// Requires: a frame (checked); called once.
    /// Fails:    with what the coroutine throws.
    [[nodiscard]] Iterator begin() {
        HEAPWRIGHT_CHECK(frame_ != nullptr, "a generator without a frame is walked: its source refused one; test the generator first");
        frame_.promise().advance();
        return Iterator{frame_.promise()};
    }
    [[nodiscard]] static std::default_sentinel_t end() noexcept { return {}; }

private:
    template <class, class, bool>
    friend class detail::GeneratorPromise;
    using Handle = std::coroutine_handle<promise_type>;
    explicit BasicGenerator(Handle frame) noexcept : frame_(frame) {}

    Handle frame_ = nullptr;
};

/// `Frames` is a policy of frame_policy.hpp.
template <class T, class Frames = RecycledFrames>
using Generator = BasicGenerator<T, Frames, detail::kExceptionsPass>;

}  // namespace heapwright
