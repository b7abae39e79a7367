// Borrowed until somebody writes: a value, a text or a row that is copied at the first change and not before.
#pragma once

#include <compare>
#include <concepts>
#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

namespace heapwright {

/// How a T is borrowed. As itself, by reference, unless a specialisation says otherwise: cow_hosted.hpp has those for
/// std::string (borrowed as a string_view) and std::vector (as a span), and RowCowTraits makes one for any row.
///
/// A specialisation gives `View` (cheap to copy; what is borrowed), `own(View) -> T` and `view(const T&) -> View`.
template <class T>
struct CowTraits {
    using View = const T&;
    [[nodiscard]] static constexpr T own(const T& borrowed) noexcept(std::is_nothrow_copy_constructible_v<T>) { return borrowed; }
    // NOLINTNEXTLINE(bugprone-return-const-ref-from-parameter): Cow, which calls it, refuses temporaries
    [[nodiscard]] static constexpr const T& view(const T& owned) noexcept { return owned; }
};

/// For any container with data() and size() that can be built from two iterators.
template <class Row>
struct RowCowTraits {
    using View = std::span<const typename Row::value_type>;
    [[nodiscard]] static constexpr Row own(View borrowed) { return Row(borrowed.begin(), borrowed.end()); }
    [[nodiscard]] static constexpr View view(const Row& owned) noexcept { return View{owned.data(), owned.size()}; }
};

/// Either a view of somebody else's T, or a T of its own. Reading costs the same for both; the first write copies, if it
/// must. For results that are usually an input unchanged, and for parameters that are seldom modified.
///
/// A copy of a borrowed one is borrowed as well; a copy of an owned one copies the T.
/// Thread safety: as for T.
/// Example: `Cow<std::string> path = has_escapes(raw) ? Cow<std::string>::own(unescape(raw)) : Cow<std::string>::borrow(raw);`
template <class T, class Traits = CowTraits<T>>
class Cow {
    static_assert(std::is_object_v<T> && !std::is_const_v<T>, "a Cow owns objects that it may change: no reference, no const");

public:
    using View = typename Traits::View;
    static constexpr bool kByReference = std::is_reference_v<View>;

    /// Owns a T of no arguments.
    constexpr Cow() noexcept(std::is_nothrow_default_constructible_v<T>)
        requires std::default_initializable<T>
        : owned_(), is_owned_(true) {}

    /// Requires: what is viewed outlives every copy of the result that is still borrowed.
    [[nodiscard]] static constexpr Cow borrow(View view) noexcept { return Cow{Borrow{}, view}; }
    // A temporary would be gone before the next line: give it a name, or own it.
    template <class U>
        requires(std::same_as<std::remove_cv_t<U>, T> && !std::is_lvalue_reference_v<U>)
    static Cow borrow(U&& temporary) = delete;

    [[nodiscard]] static constexpr Cow own(T value) noexcept(std::is_nothrow_move_constructible_v<T>) {
        return Cow{Own{}, std::move(value)};
    }

    constexpr Cow(const Cow& other) : is_owned_(other.is_owned_) {
        if (is_owned_) {
            std::construct_at(&owned_, other.owned_);
        } else {
            std::construct_at(&borrowed_, other.borrowed_);
        }
    }
    constexpr Cow(Cow&& other) noexcept(std::is_nothrow_move_constructible_v<T>) : is_owned_(other.is_owned_) {
        if (is_owned_) {
            std::construct_at(&owned_, std::move(other.owned_));
        } else {
            std::construct_at(&borrowed_, other.borrowed_);
        }
    }
    constexpr Cow& operator=(const Cow& other) {
        if (this != &other) {
            *this = Cow{other};  // a copy that throws leaves this one as it was
        }
        return *this;
    }
    constexpr Cow& operator=(Cow&& other) noexcept(std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_assignable_v<T>) {
        if (this == &other) {
            return *this;
        }
        if (is_owned_ && other.is_owned_) {
            owned_ = std::move(other.owned_);
        } else if (other.is_owned_) {
            become_owned([&]() -> T { return std::move(other.owned_); });
        } else {
            const Stored borrowed = other.borrowed_;
            end();
            std::construct_at(&borrowed_, borrowed);
            is_owned_ = false;
        }
        return *this;
    }
    constexpr ~Cow() { end(); }

    [[nodiscard]] constexpr bool is_owned() const noexcept { return is_owned_; }
    [[nodiscard]] constexpr bool is_borrowed() const noexcept { return !is_owned_; }

    /// What it holds, whoever owns it.
    [[nodiscard]] constexpr View view() const noexcept { return is_owned_ ? Traits::view(owned_) : unwrap(borrowed_); }
    [[nodiscard]] constexpr View operator*() const noexcept { return view(); }
    [[nodiscard]] constexpr const T* operator->() const noexcept
        requires kByReference
    {
        return std::addressof(view());
    }
    /// The view itself is what `->` reaches where it is a class of its own: `cow->size()`.
    [[nodiscard]] constexpr auto operator->() const noexcept
        requires(!kByReference)
    {
        struct Arrow {
            View view;
            constexpr const View* operator->() const noexcept { return &view; }
        };
        return Arrow{view()};
    }

    /// The T of its own, copied now if it was borrowed.
    ///
    /// Fails:    with what the copy throws; it is borrowed then as before.
    /// Cost:     one copy at the first call for a borrowed one, nothing after it.
    [[nodiscard]] constexpr T& to_mut() {
        if (!is_owned_) {
            become_owned([borrowed = borrowed_]() -> T { return Traits::own(unwrap(borrowed)); });
        }
        return owned_;
    }

    /// The T, moved out if it was owned and copied if it was borrowed.
    [[nodiscard]] constexpr T into_owned() && { return is_owned_ ? std::move(owned_) : Traits::own(unwrap(borrowed_)); }

    /// A borrowed one of the same, which this one must outlive unchanged.
    [[nodiscard]] constexpr Cow reborrow() const& noexcept { return borrow(view()); }
    [[nodiscard]] Cow reborrow() const&& = delete;

    [[nodiscard]] friend constexpr bool operator==(const Cow& left, const Cow& right)
        requires std::equality_comparable<T>
    {
        return left.is_owned_ && right.is_owned_ ? left.owned_ == right.owned_ : equal(left.view(), right.view());
    }
    [[nodiscard]] friend constexpr bool operator==(const Cow& left, const View& right)
        requires std::equality_comparable<T>
    {
        return equal(left.view(), right);
    }
    [[nodiscard]] friend constexpr auto operator<=>(const Cow& left, const Cow& right)
        requires std::three_way_comparable<std::remove_cvref_t<View>>
    {
        return left.view() <=> right.view();
    }

private:
    using Stored = std::conditional_t<kByReference, std::add_pointer_t<View>, std::remove_cv_t<View>>;
    static_assert(std::is_trivially_copyable_v<Stored> && std::is_trivially_destructible_v<Stored>,
                  "a view is cheap: a pointer and a size");

    struct Borrow {};
    struct Own {};
    constexpr Cow(Borrow, View view) noexcept : borrowed_(wrap(view)), is_owned_(false) {}
    constexpr Cow(Own, T&& value) noexcept(std::is_nothrow_move_constructible_v<T>) : owned_(std::move(value)), is_owned_(true) {}

    [[nodiscard]] static constexpr Stored wrap(View view) noexcept {
        if constexpr (kByReference) {
            return std::addressof(view);
        } else {
            return view;
        }
    }
    [[nodiscard]] static constexpr View unwrap(const Stored& stored) noexcept {
        if constexpr (kByReference) {
            return *stored;
        } else {
            return stored;
        }
    }

    /// Spans have no ==, so rows are compared element by element.
    [[nodiscard]] static constexpr bool equal(View left, View right) {
        if constexpr (std::equality_comparable<std::remove_cvref_t<View>>) {
            return left == right;
        } else {
            if (left.size() != right.size()) {
                return false;
            }
            for (std::size_t index = 0; index < left.size(); ++index) {
                if (!(left[index] == right[index])) {
                    return false;
                }
            }
            return true;
        }
    }

    /// From borrowed to what `make()` returns. If that throws, it stays borrowed.
    template <class Make>
    constexpr void become_owned(Make make) {
        struct Undo {
            Cow& cow;
            Stored borrowed;
            constexpr ~Undo() {
                if (!cow.is_owned_) {
                    std::construct_at(&cow.borrowed_, borrowed);
                }
            }
        } const undo{*this, borrowed_};
        if consteval {
            std::construct_at(&owned_, make());
        } else {
            ::new (static_cast<void*>(&owned_)) T(make());
        }
        is_owned_ = true;
    }
    constexpr void end() noexcept {
        if (is_owned_) {
            std::destroy_at(&owned_);
        }
    }

    union {
        Stored borrowed_;
        T owned_;
    };
    bool is_owned_;
};

}  // namespace heapwright
