// For objects that hand out handles to themselves.
#pragma once

#include <heapwright/own/rc/make.hpp>

namespace heapwright {

/// An empty base whose derived objects can only be made by make_counted(), and so can always be kept.
///
/// Its constructor wants the token that only make_counted() has; the derived class passes it on as its first argument:
///
///   struct Session : CountedFromThis<Session, SingleThread> {
///       Session(CountedToken token, int number) : CountedFromThis(token), number(number) {}
///   };
///   Rc<Session> session = make_rc<Session>(7);   // a Session on the stack does not compile
// Its constructor wants a token that only make_counted() has, and a friend could not pass it on.
// NOLINTNEXTLINE(bugprone-crtp-constructor-accessibility)
template <class Derived, class Policy>
class CountedFromThis {
public:
    CountedFromThis(const CountedFromThis&) = delete;
    CountedFromThis& operator=(const CountedFromThis&) = delete;

    /// Requires: not called in the destructor (checked: a dying object cannot be kept).
    [[nodiscard]] Counted<Derived, Policy> handle() noexcept {
        auto& self = static_cast<Derived&>(*this);
        const bool is_alive = detail::Shape<Derived, Policy>::counts(&self).try_add_strong();
        HEAPWRIGHT_CHECK(is_alive, "an object that is being destroyed cannot be kept any longer");
        return Counted<Derived, Policy>::from_raw(&self);
    }
    [[nodiscard]] WeakCounted<Derived, Policy> weak_handle() noexcept { return handle().downgrade(); }

protected:
    explicit CountedFromThis(CountedToken /*made_by*/) noexcept {}
    ~CountedFromThis() = default;
};

}  // namespace heapwright
