// Pointers and indices that only their own arena, pool or row accepts: checked by the compiler, at no byte and no instruction.
#pragma once

#include <atomic>
#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>

namespace heapwright {

/// A brand that exists for the compiler only. Each `Brand<>` that is written is another type; where a brand must have a
/// name, in a header or a member, a tag gives it one: `struct OrdersTag; using Orders = Brand<OrdersTag>;`.
///
/// A brand is a type: two owners made by one line of code that runs twice share it. DynamicBrand tells them apart.
template <class Tag = decltype([] {})>
struct Brand {
    [[nodiscard]] static constexpr Brand make() noexcept { return {}; }
    friend constexpr bool operator==(Brand, Brand) noexcept = default;
};

#ifdef NDEBUG
inline constexpr bool kDynamicBrandsAreChecked = false;
#else
inline constexpr bool kDynamicBrandsAreChecked = true;
#endif

namespace detail {
inline constinit std::atomic<std::uint32_t> brands_given{0};
}

/// A brand for owners that are made in a loop: a number of 4 bytes in each owner and each handle, compared at each use in
/// debug builds; nothing at all in release builds. Whether it is checked is part of the type, so that two halves of a
/// program that disagree do not link instead of misreading each other.
template <class Tag = decltype([] {}), bool Checked = kDynamicBrandsAreChecked>
class DynamicBrand {
public:
    /// The brand of a handle that names nothing.
    constexpr DynamicBrand() noexcept = default;
    /// Relaxed: numbers must differ, in whatever order they are given.
    [[nodiscard]] static DynamicBrand make() noexcept {
        return DynamicBrand{detail::brands_given.fetch_add(1, std::memory_order_relaxed) + 1};
    }
    friend constexpr bool operator==(DynamicBrand, DynamicBrand) noexcept = default;

private:
    explicit DynamicBrand(std::uint32_t number) noexcept : number_(number) {}
    std::uint32_t number_ = 0;
};

template <class Tag>
class DynamicBrand<Tag, false> {
public:
    [[nodiscard]] static constexpr DynamicBrand make() noexcept { return {}; }
    friend constexpr bool operator==(DynamicBrand, DynamicBrand) noexcept = default;
};

/// Something that tells owners apart.
template <class B>
concept OwnerBrand = std::is_trivially_copyable_v<B> && std::default_initializable<B> && std::equality_comparable<B> && requires {
    { B::make() } noexcept -> std::same_as<B>;
};

template <class Source, OwnerBrand B>
class Branded;
template <class T, OwnerBrand B>
class BrandedArray;

/// A pointer that cannot be followed by itself: its owner follows it, `owner[pointer]`. So it carries no right to read or
/// to write; whoever holds the owner has that, and a const owner gives const access to everything in it.
///
/// Made by its owner only. A plain value: copies freely, compares, orders; it does not know when its object ends.
template <class T, OwnerBrand B>
class BrandedPtr {
public:
    /// Names nothing.
    constexpr BrandedPtr() noexcept = default;
    /// As pointers convert: to const, to a base.
    template <class U>
        requires(!std::same_as<U, T> && std::convertible_to<U*, T*>)
    constexpr BrandedPtr(const BrandedPtr<U, B>& other) noexcept : object_(other.object_), brand_(other.brand_) {}

    [[nodiscard]] constexpr explicit operator bool() const noexcept { return object_ != nullptr; }
    friend constexpr bool operator==(BrandedPtr left, BrandedPtr right) noexcept { return left.object_ == right.object_; }
    friend constexpr std::strong_ordering operator<=>(BrandedPtr left, BrandedPtr right) noexcept { return left.object_ <=> right.object_; }

private:
    template <class, OwnerBrand>
    friend class BrandedPtr;
    template <class, OwnerBrand>
    friend class Branded;
    constexpr BrandedPtr(T* object, B brand) noexcept : object_(object), brand_(brand) {}

    T* object_ = nullptr;
    [[no_unique_address]] B brand_{};
};

static_assert(sizeof(BrandedPtr<int, Brand<void>>) == sizeof(int*));
static_assert(sizeof(BrandedPtr<int, DynamicBrand<void, false>>) == sizeof(int*));

/// An index of 4 bytes into one BrandedArray and no other.
template <OwnerBrand B>
class BrandedIndex {
public:
    /// Names nothing.
    constexpr BrandedIndex() noexcept = default;

    [[nodiscard]] constexpr explicit operator bool() const noexcept { return index_ != kNone; }
    /// For printing and for arrays beside its own.
    [[nodiscard]] constexpr std::uint32_t value() const noexcept { return index_; }
    friend constexpr bool operator==(BrandedIndex left, BrandedIndex right) noexcept { return left.index_ == right.index_; }
    friend constexpr std::strong_ordering operator<=>(BrandedIndex left, BrandedIndex right) noexcept {
        return left.index_ <=> right.index_;
    }

private:
    template <class, OwnerBrand>
    friend class BrandedArray;
    static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
    constexpr BrandedIndex(std::uint32_t index, B brand) noexcept : index_(index), brand_(brand) {}

    std::uint32_t index_ = kNone;
    [[no_unique_address]] B brand_{};
};

static_assert(sizeof(BrandedIndex<Brand<void>>) == 4 && sizeof(BrandedIndex<DynamicBrand<void, false>>) == 4);

/// Calls `act(brand)` with a brand that nothing else has: the scope of a branded owner that must not be named elsewhere.
///
/// Example: `with_brand([](auto brand) { Branded<Arena, decltype(brand)> arena{os::kPages}; ... });`
template <class Act>
constexpr decltype(auto) with_brand(Act&& act) {
    return std::forward<Act>(act)(Brand<std::remove_cvref_t<Act>>{});
}

}  // namespace heapwright
