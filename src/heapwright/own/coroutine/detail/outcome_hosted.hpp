// What a coroutine ends with: nothing yet, a value, or an exception where those are compiled in.
#pragma once

#include <concepts>
#include <cstdint>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

#include <heapwright/base/check.hpp>

namespace heapwright::detail {

/// Part of the types of tasks and generators, so that code compiled with exceptions and code compiled without do not take
/// each other's functions for their own.
#if defined(__cpp_exceptions)
inline constexpr bool kExceptionsPass = true;
#else
inline constexpr bool kExceptionsPass = false;
#endif

/// An exception on its way from one frame to the next. Empty, and of no size, where exceptions are not compiled in.
template <bool Passes>
class PassingException {
public:
    void catch_current() noexcept { exception_ = std::current_exception(); }
    void rethrow() const {
        if (exception_ != nullptr) {
            std::rethrow_exception(exception_);
        }
    }

private:
    std::exception_ptr exception_;
};

template <>
class PassingException<false> {
public:
    [[noreturn]] static void catch_current() noexcept {
        fail_check("an exception reached a coroutine that was compiled without exceptions", nullptr, nullptr, 0);
    }
    static void rethrow() noexcept {}
};

template <class T, bool Passes>
class Outcome {
public:
    Outcome() noexcept {}
    Outcome(const Outcome&) = delete;
    Outcome& operator=(const Outcome&) = delete;
    ~Outcome() {
        if (state_ == State::value) {
            std::destroy_at(&value_);
        } else if (state_ == State::exception) {
            std::destroy_at(&exception_);
        }
    }

    template <class From>
    void set(From&& from) noexcept(std::is_nothrow_constructible_v<T, From>) {
        std::construct_at(&value_, std::forward<From>(from));
        state_ = State::value;
    }
    void catch_current() noexcept {
        std::construct_at(&exception_)->catch_current();
        state_ = State::exception;
    }
    /// Requires: ended. Returns: the value, once.
    [[nodiscard]] T take() {
        if (state_ == State::exception) {
            exception_.rethrow();
        }
        HEAPWRIGHT_CHECK(state_ == State::value, "a task has no result: it has not ended, or its result was taken before");
        return std::move(value_);
    }

private:
    enum class State : std::uint8_t { none, value, exception };
    union {
        T value_;
        [[no_unique_address]] PassingException<Passes> exception_;
    };
    State state_ = State::none;
};

/// A reference is kept as a pointer.
template <class T, bool Passes>
class Outcome<T&, Passes> {
public:
    void set(T& object) noexcept { outcome_.set(std::addressof(object)); }
    void catch_current() noexcept { outcome_.catch_current(); }
    [[nodiscard]] T& take() { return *outcome_.take(); }

private:
    Outcome<T*, Passes> outcome_;
};

template <bool Passes>
class Outcome<void, Passes> {
public:
    void catch_current() noexcept { exception_.catch_current(); }
    void take() { exception_.rethrow(); }

private:
    [[no_unique_address]] PassingException<Passes> exception_;
};

}  // namespace heapwright::detail
