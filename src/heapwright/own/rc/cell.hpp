// Changing what is shared: Cell replaces whole values, RefCell lends its value to one writer or to many readers.
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

#include <heapwright/base/check.hpp>
#include <heapwright/own/rc/traced.hpp>

namespace heapwright {

/// A value that can be replaced through a handle to a const object. Nobody gets a reference to it, so nobody can be
/// surprised by the change.
///
/// Thread safety: none, as a plain variable.
template <class T>
class Cell {
public:
    constexpr Cell() = default;
    constexpr explicit Cell(T value) noexcept(std::is_nothrow_move_constructible_v<T>) : value_(std::move(value)) {}
    Cell(const Cell&) = delete;
    Cell& operator=(const Cell&) = delete;
    ~Cell() = default;

    [[nodiscard]] T get() const
        requires std::is_copy_constructible_v<T>
    {
        return value_;
    }
    /// The old value is destroyed after the new one is in place: its destructor may look here.
    void set(T value) const { static_cast<void>(replace(std::move(value))); }
    [[nodiscard]] T replace(T value) const { return std::exchange(value_, std::move(value)); }
    /// Leaves a default value behind.
    [[nodiscard]] T take() const { return replace(T()); }

    void trace(auto& visit) const noexcept
        requires detail::MayTrace<T>
    {
        visit(value_);
    }

private:
    mutable T value_{};
};

/// When RefCell looks whether a loan is allowed.
enum class BorrowCheck : std::uint8_t {
    debug,   // where NDEBUG is not defined; else a RefCell is as large as its value and as fast
    always,  // in every build
};

namespace detail {

inline constexpr const char* kLentToWriter = "a RefCell is lent to somebody who writes; end that loan first, or use try_borrow";
inline constexpr const char* kLentToReaders = "a RefCell is lent to somebody who reads; end that loan first, or use try_borrow_mut";
inline constexpr const char* kLentAtEnd = "a RefCell ends while it is lent; end the loan first";

#ifdef NDEBUG
inline constexpr bool kDebugBorrows = false;
#else
inline constexpr bool kDebugBorrows = true;
#endif

/// How often a value is lent: -1 to a writer, else to so many readers.
class Loans {
public:
    [[nodiscard]] bool try_read() noexcept {
        const bool is_free = count_ >= 0;
        count_ += is_free ? 1 : 0;
        return is_free;
    }
    [[nodiscard]] bool try_write() noexcept {
        const bool is_free = count_ == 0;
        count_ -= is_free ? 1 : 0;
        return is_free;
    }
    void end_read() noexcept { --count_; }
    void end_write() noexcept { ++count_; }
    [[nodiscard]] std::int32_t count() const noexcept { return count_; }

private:
    std::int32_t count_ = 0;
};

/// Nobody counts.
class NoLoans {
public:
    [[nodiscard]] static constexpr bool try_read() noexcept { return true; }
    [[nodiscard]] static constexpr bool try_write() noexcept { return true; }
    static constexpr void end_read() noexcept {}
    static constexpr void end_write() noexcept {}
    [[nodiscard]] static constexpr std::int32_t count() noexcept { return 0; }
};

}  // namespace detail

/// A value that is lent by guards: to any number of readers, or to one writer. Who breaks this rule is stopped at the loan,
/// and not where the damage shows.
///
/// Example:  `Rc<RefCell<Account>> account = ...; account->borrow_mut()->balance += 5;`
/// Thread safety: none; a lock is the RefCell of threads.
template <class T, BorrowCheck Check = BorrowCheck::debug>
class RefCell {
    static constexpr bool kChecks = Check == BorrowCheck::always || detail::kDebugBorrows;
    using Loans = std::conditional_t<kChecks, detail::Loans, detail::NoLoans>;

public:
    /// Lends the value for reading while it lives.
    class [[nodiscard]] Ref {
    public:
        Ref(Ref&& other) noexcept : cell_(std::exchange(other.cell_, nullptr)) {}
        Ref& operator=(Ref&&) = delete;
        ~Ref() {
            if (cell_ != nullptr) {
                cell_->loans_.end_read();
            }
        }
        [[nodiscard]] const T& operator*() const noexcept { return cell_->value_; }
        [[nodiscard]] const T* operator->() const noexcept { return &cell_->value_; }
        /// False where try_borrow() was refused.
        [[nodiscard]] explicit operator bool() const noexcept { return cell_ != nullptr; }

    private:
        friend class RefCell;
        explicit Ref(const RefCell* cell) noexcept : cell_(cell) {}
        const RefCell* cell_;
    };

    /// Lends the value for writing while it lives.
    class [[nodiscard]] RefMut {
    public:
        RefMut(RefMut&& other) noexcept : cell_(std::exchange(other.cell_, nullptr)) {}
        RefMut& operator=(RefMut&&) = delete;
        ~RefMut() {
            if (cell_ != nullptr) {
                cell_->loans_.end_write();
            }
        }
        [[nodiscard]] T& operator*() const noexcept { return cell_->value_; }
        [[nodiscard]] T* operator->() const noexcept { return &cell_->value_; }
        [[nodiscard]] explicit operator bool() const noexcept { return cell_ != nullptr; }

    private:
        friend class RefCell;
        explicit RefMut(const RefCell* cell) noexcept : cell_(cell) {}
        const RefCell* cell_;
    };

    constexpr RefCell() = default;
    constexpr explicit RefCell(T value) noexcept(std::is_nothrow_move_constructible_v<T>) : value_(std::move(value)) {}
    RefCell(const RefCell&) = delete;
    RefCell& operator=(const RefCell&) = delete;
    /// Requires: it is not lent (checked where loans are).
    ~RefCell() { HEAPWRIGHT_CHECK(loans_.count() == 0, detail::kLentAtEnd); }

    /// Requires: it is not lent to a writer (checked as `Check` says).
    [[nodiscard]] Ref borrow() const noexcept {
        const bool is_allowed = loans_.try_read();
        HEAPWRIGHT_CHECK(is_allowed, detail::kLentToWriter);
        return Ref(this);
    }
    /// Requires: it is not lent (checked as `Check` says).
    [[nodiscard]] RefMut borrow_mut() const noexcept {
        const bool is_allowed = loans_.try_write();
        if (HEAPWRIGHT_UNLIKELY(!is_allowed)) {
            fail_check(loans_.count() < 0 ? detail::kLentToWriter : detail::kLentToReaders, nullptr, nullptr, 0);
        }
        return RefMut(this);
    }
    /// As above; the guard is false when the loan is refused. Where loans are not counted, none is.
    [[nodiscard]] Ref try_borrow() const noexcept { return Ref(loans_.try_read() ? this : nullptr); }
    [[nodiscard]] RefMut try_borrow_mut() const noexcept { return RefMut(loans_.try_write() ? this : nullptr); }

    /// For a cycle collector: it looks whether the value is lent or not, because a handle counts either way.
    void trace(auto& visit) const noexcept
        requires detail::MayTrace<T>
    {
        visit(value_);
    }

private:
    mutable T value_{};
    [[no_unique_address]] mutable Loans loans_;
};

}  // namespace heapwright
