// Takes turns between tasks that wait: a queue whose nodes lie in the waiting frames, so that it never allocates.
#pragma once

#include <coroutine>
#include <cstddef>
#include <type_traits>
#include <utility>

#include <heapwright/base/check.hpp>
#include <heapwright/base/error.hpp>
#include <heapwright/own/coroutine/task.hpp>

namespace heapwright {

namespace detail {

/// A place in a ring of waiting coroutines. Leaves the ring by itself when its frame is destroyed.
class Waiting {
public:
    Waiting() noexcept = default;
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
    ~Waiting() { leave(); }

    [[nodiscard]] bool is_alone() const noexcept { return next_ == this; }
    [[nodiscard]] Waiting* next() const noexcept { return next_; }
    void insert_before(Waiting& place) noexcept {
        leave();
        previous_ = place.previous_;
        next_ = &place;
        previous_->next_ = this;
        next_->previous_ = this;
    }
    void leave() noexcept {
        previous_->next_ = next_;
        next_->previous_ = previous_;
        next_ = this;
        previous_ = this;
    }
    std::coroutine_handle<> frame;

private:
    Waiting* next_ = this;
    Waiting* previous_ = this;
};

}  // namespace detail

/// Resumes coroutines in the order in which they became ready.
///
/// Requires: it outlives what waits in it, or that is destroyed with it still waiting.
/// Thread safety: one thread.
/// Example: `RunLoop loop; auto a = count(loop, 3); loop.start(a); loop.run(); use(a.result());`
class RunLoop {
public:
    RunLoop() noexcept = default;
    RunLoop(const RunLoop&) = delete;
    RunLoop& operator=(const RunLoop&) = delete;
    ~RunLoop() {
        while (!ready_.is_alone()) {
            ready_.next()->leave();
        }
    }

    class Turn : detail::Waiting {
    public:
        explicit Turn(RunLoop& loop) noexcept : loop_(loop) {}
        [[nodiscard]] bool await_ready() const noexcept { return false; }
        void await_suspend(std::coroutine_handle<> waiting) noexcept {
            frame = waiting;
            insert_before(loop_.ready_);
        }
        void await_resume() const noexcept {}

    private:
        RunLoop& loop_;
    };
    /// Awaited, it lets all others that are ready go first.
    [[nodiscard]] Turn next_turn() noexcept { return Turn{*this}; }

    /// Runs a task until it waits for the first time. The task stays the caller's, and must live until it is done.
    template <class T, class Frames, bool Passes>
    void start(BasicTask<T, Frames, Passes>& task) {
        task.start();
    }

    /// Resumes the one that has been ready longest.
    ///
    /// Returns: false when there is none.
    bool run_one() {
        if (ready_.is_alone()) {
            return false;
        }
        detail::Waiting* const first = ready_.next();
        first->leave();
        first->frame.resume();
        return true;
    }
    /// Until nobody is ready.
    ///
    /// Returns: how many times something was resumed.
    std::size_t run() {
        std::size_t turns = 0;
        while (run_one()) {
            ++turns;
        }
        return turns;
    }
    /// Runs until the task is done; others take their turns meanwhile.
    ///
    /// Returns:  its result; out_of_memory when it has no frame, timed_out when nobody is ready and it is still waiting.
    template <class T, class Frames, bool Passes>
    Result<T> run_until_done(BasicTask<T, Frames, Passes>& task) {
        if (!task) {
            return fail_with(Errc::out_of_memory);
        }
        while (!task.is_done()) {
            if (!run_one()) {
                return fail_with(Errc::timed_out);
            }
        }
        if constexpr (std::is_void_v<T>) {
            task.result();
            return {};
        } else {
            return task.result();
        }
    }

private:
    friend class Event;
    detail::Waiting ready_;  // the ring's own place, which is no coroutine
};

/// Something that happens once, until it is reset: whoever awaits it waits until then.
///
/// Thread safety: that of its loop.
class Event {
public:
    explicit Event(RunLoop& loop) noexcept : loop_(loop) {}
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;
    ~Event() {
        while (!waiting_.is_alone()) {
            waiting_.next()->leave();
        }
    }

    [[nodiscard]] bool is_set() const noexcept { return is_set_; }
    /// Makes all that wait ready, in the order in which they came.
    void set() noexcept {
        is_set_ = true;
        while (!waiting_.is_alone()) {
            waiting_.next()->insert_before(loop_.ready_);
        }
    }
    void reset() noexcept { is_set_ = false; }

    class Wait : detail::Waiting {
    public:
        explicit Wait(Event& event) noexcept : event_(event) {}
        [[nodiscard]] bool await_ready() const noexcept { return event_.is_set_; }
        void await_suspend(std::coroutine_handle<> waiting) noexcept {
            frame = waiting;
            insert_before(event_.waiting_);
        }
        void await_resume() const noexcept {}

    private:
        Event& event_;
    };
    [[nodiscard]] Wait operator co_await() noexcept { return Wait{*this}; }

private:
    RunLoop& loop_;
    detail::Waiting waiting_;
    bool is_set_ = false;
};

}  // namespace heapwright
