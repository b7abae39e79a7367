// A coroutine that is started when it is awaited and gives one result, with its frame from wherever you say.
#pragma once

#include <concepts>
#include <coroutine>
#include <type_traits>
#include <utility>

#include <heapwright/base/check.hpp>
#include <heapwright/base/error.hpp>
#include <heapwright/base/platform.hpp>
#include <heapwright/own/coroutine/detail/outcome_hosted.hpp>
#include <heapwright/own/coroutine/frame_policy.hpp>

namespace heapwright {

template <class T, class Frames, bool Passes>
class BasicTask;

namespace detail {

/// Who goes on when this coroutine has ended.
class Continued {
public:
    struct Hand {
        [[nodiscard]] bool await_ready() const noexcept { return false; }
        // Returned, not resumed: the compiler makes a jump of it, so that no stack grows however long the chain is.
        template <std::derived_from<Continued> Promise>
        [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> ended) const noexcept {
            return ended.promise().next_;
        }
        void await_resume() const noexcept {}
    };
    [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
    [[nodiscard]] Hand final_suspend() const noexcept { return {}; }
    void continue_with(std::coroutine_handle<> next) noexcept { next_ = next; }

private:
    std::coroutine_handle<> next_ = std::noop_coroutine();
};

template <class T, class Frames, bool Passes>
class TaskPromise : public Continued, public Frames {
public:
    using Task = BasicTask<T, Frames, Passes>;

    [[nodiscard]] Task get_return_object() noexcept { return Task{std::coroutine_handle<TaskPromise>::from_promise(*this)}; }
    [[nodiscard]] static Task get_return_object_on_allocation_failure() noexcept { return Task{}; }
    void unhandled_exception() noexcept { outcome_.catch_current(); }
    template <class From = T>
        requires std::is_constructible_v<T, From>
    void return_value(From&& from) noexcept(std::is_nothrow_constructible_v<T, From>) {
        outcome_.set(std::forward<From>(from));
    }
    [[nodiscard]] T take() { return outcome_.take(); }

private:
    Outcome<T, Passes> outcome_;
};

template <class Frames, bool Passes>
class TaskPromise<void, Frames, Passes> : public Continued, public Frames {
public:
    using Task = BasicTask<void, Frames, Passes>;

    [[nodiscard]] Task get_return_object() noexcept { return Task{std::coroutine_handle<TaskPromise>::from_promise(*this)}; }
    [[nodiscard]] static Task get_return_object_on_allocation_failure() noexcept { return Task{}; }
    void unhandled_exception() noexcept { outcome_.catch_current(); }
    void return_void() const noexcept {}
    void take() { outcome_.take(); }

private:
    Outcome<void, Passes> outcome_;
};

}  // namespace detail

/// One result of a coroutine that starts when it is awaited. Awaiting a task jumps into it and jumps back at its end: a
/// chain of a million tasks takes no more stack than one.
///
/// Where the source of frames refuses, the task comes back without a frame: test it, or await `checked()`.
/// Move-only; destroying it destroys its frame, with everything in it that waits. One thread at a time.
/// Example: `Task<int> sum(int a, int b) { co_return a + b; }  Task<int> twice() { co_return 2 * co_await sum(1, 2); }`
template <class T, class Frames, bool Passes>
class [[nodiscard]] BasicTask {
public:
    using promise_type = detail::TaskPromise<T, Frames, Passes>;

    /// Without a frame.
    constexpr BasicTask() noexcept = default;
    BasicTask(BasicTask&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
    BasicTask& operator=(BasicTask&& other) noexcept {
        BasicTask taken{std::move(other)};
        std::swap(frame_, taken.frame_);
        return *this;
    }
    ~BasicTask() {
        if (frame_ != nullptr) {
            frame_.destroy();
        }
    }

    /// Whether it has a frame: false when the source of frames refused, and after a move.
    [[nodiscard]] explicit operator bool() const noexcept { return frame_ != nullptr; }
    /// Whether it ran to its end.
    [[nodiscard]] bool is_done() const noexcept { return frame_ != nullptr && frame_.done(); }

    /// Runs it until it waits for something or ends, in a caller that is no coroutine.
    ///
    /// Requires: it has a frame, and was neither started nor awaited before (the former is checked).
    void start() {
        HEAPWRIGHT_CHECK(frame_ != nullptr, "a task without a frame is started: its source refused one; test the task first");
        frame_.resume();
    }
    /// What it ended with.
    ///
    /// Requires: is_done() (checked); once.
    /// Fails:    with the exception that ended it.
    [[nodiscard]] T result() {
        HEAPWRIGHT_CHECK(is_done(), "a task that has not ended has no result");
        return frame_.promise().take();
    }

    /// Requires: a task with a frame (checked); the task lives until it has ended, as a temporary in the expression does.
    /// Returns:  its result.
    /// Fails:    with the exception that ended it.
    [[nodiscard]] auto operator co_await() && noexcept {
        HEAPWRIGHT_CHECK(frame_ != nullptr, "a task without a frame is awaited: its source refused one; await checked() to go on without");
        return Await{frame_};
    }
    auto operator co_await() & = delete;  // a task is awaited once: co_await std::move(task)

    /// To be awaited instead of the task where its frame may have been refused.
    ///
    /// Returns: a Result, which is out_of_memory when there is no frame.
    [[nodiscard]] auto checked() && noexcept { return AwaitChecked{frame_}; }

private:
    friend promise_type;
    using Handle = std::coroutine_handle<promise_type>;
    explicit BasicTask(Handle frame) noexcept : frame_(frame) {}

    struct Await {
        Handle frame;
        [[nodiscard]] bool await_ready() const noexcept { return false; }
        [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiting) const noexcept {
            frame.promise().continue_with(waiting);
            return frame;
        }
        // NOLINTNEXTLINE(modernize-use-nodiscard): a task may be awaited for what it does
        T await_resume() const { return frame.promise().take(); }
    };
    struct AwaitChecked {
        Handle frame;
        [[nodiscard]] bool await_ready() const noexcept { return frame == nullptr; }
        [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiting) const noexcept {
            frame.promise().continue_with(waiting);
            return frame;
        }
        [[nodiscard]] Result<T> await_resume() const {
            if (frame == nullptr) {
                return fail_with(Errc::out_of_memory);
            }
            if constexpr (std::is_void_v<T>) {
                frame.promise().take();
                return {};
            } else {
                return frame.promise().take();
            }
        }
    };

    Handle frame_ = nullptr;
};

/// `Frames` is a policy of frame_policy.hpp.
template <class T = void, class Frames = RecycledFrames>
using Task = BasicTask<T, Frames, detail::kExceptionsPass>;

/// Runs a task that waits for nothing but other tasks, to its end.
///
/// Returns:  its result; out_of_memory when it has no frame.
/// Requires: it ends (checked): what waits for events needs a RunLoop.
/// Fails:    with the exception that ended it.
template <class T, class Frames, bool Passes>
Result<T> run(BasicTask<T, Frames, Passes> task) {
    if (!task) {
        return fail_with(Errc::out_of_memory);
    }
    task.start();
    HEAPWRIGHT_CHECK(task.is_done(), "a task waits for something that nobody will make happen: run it in a RunLoop");
    if constexpr (std::is_void_v<T>) {
        task.result();
        return {};
    } else {
        return task.result();
    }
}

}  // namespace heapwright
