// An object and something that points into it, kept together: in a block that stays, or in place and built anew at each move.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include <heapwright/base/block_source.hpp>
#include <heapwright/base/check.hpp>
#include <heapwright/base/layout.hpp>
#include <heapwright/own/cell/detail/boxed.hpp>

namespace heapwright {

/// Owns an Owner and a Dependent that was built from it and may point into it, both in one block that stays. The
/// dependent is built after its owner and ends before it. One word; moving it moves neither.
///
/// The owner is shown as const only: changing it could leave the dependent with a dangling pointer.
/// Example:
///     using Tokens = SelfRef<std::string, std::vector<std::string_view>>;
///     Tokens tokens = Tokens::make(source, std::move(text), [](const std::string& line) { return split(line); });
template <class Owner, class Dependent>
class SelfRef {
public:
    /// Empty.
    constexpr SelfRef() noexcept = default;
    SelfRef(SelfRef&& other) noexcept : both_(std::exchange(other.both_, nullptr)) {}
    SelfRef& operator=(SelfRef&& other) noexcept {
        SelfRef taken{std::move(other)};
        std::swap(both_, taken.both_);
        return *this;
    }
    ~SelfRef() { reset(); }

    /// Builds both, the dependent from what `build(owner)` returns, in its place.
    ///
    /// Requires: `source` outlives the pair.
    /// Returns:  an empty one when the source refuses.
    /// Fails:    with what a constructor or `build` throws; nothing stays behind.
    /// Cost:     one block of the source.
    template <class Build>
        requires std::is_invocable_r_v<Dependent, Build, Owner&>
    [[nodiscard]] static SelfRef try_make(SourceRef source, Owner owner, Build&& build) {
        return try_make_from(source, [&]() -> Owner { return std::move(owner); }, std::forward<Build>(build));
    }
    /// Requires: as try_make, and the source suffices (checked).
    template <class Build>
        requires std::is_invocable_r_v<Dependent, Build, Owner&>
    [[nodiscard]] static SelfRef make(SourceRef source, Owner owner, Build&& build) {
        SelfRef made = try_make(source, std::move(owner), std::forward<Build>(build));
        HEAPWRIGHT_CHECK(static_cast<bool>(made), "out of memory: the source of a pair refused; call try_make to go on without");
        return made;
    }
    /// As try_make for an owner that cannot be moved: it is what `make_owner()` returns, built in its place.
    template <class MakeOwner, class Build>
        requires std::is_invocable_r_v<Owner, MakeOwner> && std::is_invocable_r_v<Dependent, Build, Owner&>
    [[nodiscard]] static SelfRef try_make_from(SourceRef source, MakeOwner&& make_owner, Build&& build) {
        void* const block = source.try_allocate(Layout::of<Both>());
        if (block == nullptr) {
            return {};
        }
        detail::BlockGuard guard{source, block, Layout::of<Both>()};
        auto* const both = ::new (block) Both(source, std::forward<MakeOwner>(make_owner), std::forward<Build>(build));
        guard.release();
        return SelfRef{both};
    }

    [[nodiscard]] explicit operator bool() const noexcept { return both_ != nullptr; }

    /// Requires: not empty (checked in debug builds).
    [[nodiscard]] const Owner& owner() const& noexcept { return both().owner; }
    [[nodiscard]] Dependent& dependent() & noexcept { return both().dependent; }
    [[nodiscard]] const Dependent& dependent() const& noexcept { return both().dependent; }
    // What they refer to ends with the pair, which is about to end here.
    [[nodiscard]] const Owner& owner() const&& = delete;
    [[nodiscard]] Dependent& dependent() && = delete;

    /// Ends the dependent, moves the owner out, gives the block back.
    [[nodiscard]] Owner into_owner() && noexcept(std::is_nothrow_move_constructible_v<Owner>) {
        SelfRef ending{std::move(*this)};
        return std::move(ending.both().owner);
    }

    void reset() noexcept {
        if (both_ != nullptr) {
            Both* const both = std::exchange(both_, nullptr);
            const SourceRef source = both->source;
            std::destroy_at(both);
            source.deallocate(both, Layout::of<Both>());
        }
    }

private:
    static_assert(std::is_nothrow_destructible_v<Owner> && std::is_nothrow_destructible_v<Dependent>,
                  "a destructor that throws leaves nobody to tell");

    struct Both {  // ends in the reverse order: the dependent first
        template <class MakeOwner, class Build>
        Both(SourceRef from, MakeOwner&& make_owner, Build&& build)
            : source(from), owner(std::forward<MakeOwner>(make_owner)()), dependent(std::forward<Build>(build)(owner)) {}
        Both(const Both&) = delete;
        Both& operator=(const Both&) = delete;
        ~Both() = default;
        SourceRef source;
        Owner owner;
        Dependent dependent;
    };

    explicit SelfRef(Both* both) noexcept : both_(both) {}
    [[nodiscard]] Both& both() const noexcept {
        HEAPWRIGHT_ASSERT(both_ != nullptr, "an empty pair has neither owner nor dependent: test it before use");
        return *both_;
    }

    Both* both_ = nullptr;
};

/// The same without a block: it lies where it is put, and each copy or move builds the dependent anew, by `Build{}(owner)`.
/// Right for dependents that are cheap to build; an owner whose inside is linked by SelfPtr needs none of this.
///
/// Requires: `Build` also takes an owner that was moved from.
/// Cost:     a move is that of the owner and two calls of Build.
template <class Owner, class Build>
    requires std::is_invocable_v<Build, const Owner&>
class LocalSelfRef {
public:
    using Dependent = std::invoke_result_t<Build, const Owner&>;

    template <class... Args>
        requires std::is_constructible_v<Owner, Args...>
    explicit LocalSelfRef(std::in_place_t, Args&&... args)
        : owner_(std::forward<Args>(args)...), dependent_(Build{}(std::as_const(owner_))) {}
    LocalSelfRef(const LocalSelfRef& other) : owner_(other.owner_), dependent_(Build{}(std::as_const(owner_))) {}
    LocalSelfRef(LocalSelfRef&& other) noexcept(kQuiet) : owner_(std::move(other.owner_)), dependent_(Build{}(std::as_const(owner_))) {
        other.dependent_ = Build{}(std::as_const(other.owner_));
    }
    LocalSelfRef& operator=(const LocalSelfRef& other) {
        if (this != &other) {
            *this = LocalSelfRef{other};
        }
        return *this;
    }
    LocalSelfRef& operator=(LocalSelfRef&& other) noexcept(kQuiet && std::is_nothrow_move_assignable_v<Owner>) {
        if (this != &other) {
            owner_ = std::move(other.owner_);
            dependent_ = Build{}(std::as_const(owner_));
            other.dependent_ = Build{}(std::as_const(other.owner_));
        }
        return *this;
    }
    ~LocalSelfRef() = default;

    [[nodiscard]] const Owner& owner() const& noexcept { return owner_; }
    [[nodiscard]] Dependent& dependent() & noexcept { return dependent_; }
    [[nodiscard]] const Dependent& dependent() const& noexcept { return dependent_; }
    [[nodiscard]] const Owner& owner() const&& = delete;
    [[nodiscard]] Dependent& dependent() && = delete;

    /// Changes the owner by `act(owner)` and builds the dependent anew.
    template <class Act>
        requires std::is_invocable_v<Act, Owner&>
    void update(Act&& act) {
        std::forward<Act>(act)(owner_);
        dependent_ = Build{}(std::as_const(owner_));
    }

private:
    static constexpr bool kQuiet = std::is_nothrow_move_constructible_v<Owner> && std::is_nothrow_invocable_v<Build, const Owner&> &&
                                   std::is_nothrow_move_constructible_v<Dependent> && std::is_nothrow_move_assignable_v<Dependent>;

    Owner owner_;
    Dependent dependent_;
};

}  // namespace heapwright
