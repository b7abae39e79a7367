// Pointers that hold a distance instead of an address: they survive copies, moves and the relocation of a whole block.
//
//   block │ ... SelfPtr{+24} ... target ... │      copied anywhere as bytes, the distance is still 24
//            └────────24 bytes────┘
#pragma once

#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

#include <heapwright/base/check.hpp>
#include <heapwright/base/platform.hpp>

namespace heapwright {

/// Points at a T by the distance in bytes from itself.
///
/// Copied or moved as an object it points at the same T, from where it now is. Copied as bytes together with its T, as a
/// vector that grows or an image that is mapped does it, it points at the T beside it.
///
/// With std::int32_t a node with two links is 8 bytes instead of 16, and reaches 2 GiB either way; what is farther is
/// refused. With std::int64_t it reaches everything.
///
/// Null is the distance 1: no T can be there, since that is inside this very pointer. Distance 0 is taken by what really is
/// at distance 0: a ring's first node, whose first member points at itself.
///
/// A 32-bit one belongs into the block of what it points at: a copy in a local variable is out of reach of the heap. Take
/// get() there; swap() does. What makes temporaries of its own (std::sort, std::swap called by its full name) does not.
///
/// It is no iterator: take get() once, and loop over that. What blocks vectorisation in other libraries is the arithmetic
/// on such pointers, and the test for null inside each `*`; here `*` and `->` are one addition.
/// Thread safety: as for any word.
template <class T, std::signed_integral Offset = std::int32_t>
class SelfPtr {
public:
    using element_type = T;
    using offset_type = Offset;

    /// Null.
    constexpr SelfPtr() noexcept = default;
    constexpr SelfPtr(std::nullptr_t) noexcept {}
    /// Requires: the T is within reach (checked).
    SelfPtr(T* target) noexcept { set(target); }
    SelfPtr(const SelfPtr& other) noexcept { set(other.get()); }
    // NOLINTNEXTLINE(cert-oop54-cpp): from itself it takes its own target, which changes nothing
    SelfPtr& operator=(const SelfPtr& other) noexcept {
        set(other.get());
        return *this;
    }
    SelfPtr& operator=(T* target) noexcept {
        set(target);
        return *this;
    }
    ~SelfPtr() = default;

    /// Points at `target` from now on, or at nothing.
    ///
    /// Returns: false when it is out of reach; then nothing changed.
    [[nodiscard]] bool try_set(T* target) noexcept {
        if (target == nullptr) {
            offset_ = kNull;
            return true;
        }
        const auto distance = static_cast<std::intptr_t>(reinterpret_cast<std::uintptr_t>(target) - here());
        if (HEAPWRIGHT_UNLIKELY(distance != static_cast<Offset>(distance) || distance == kNull)) {
            return false;
        }
        offset_ = static_cast<Offset>(distance);
        return true;
    }
    /// Requires: the T is within reach (checked).
    void set(T* target) noexcept {
        HEAPWRIGHT_CHECK(try_set(target), "a self-relative pointer cannot reach so far: keep both in one block, or take a 64-bit offset");
    }

    /// nullptr when null.
    [[nodiscard]] T* get() const noexcept { return offset_ == kNull ? nullptr : at(); }

    /// Requires: not null (checked in debug builds).
    /// Cost:     one load and one addition.
    [[nodiscard]] T& operator*() const noexcept
        requires(!std::is_void_v<T>)
    {
        HEAPWRIGHT_ASSERT(offset_ != kNull, "a null pointer has no object");
        return *at();
    }
    [[nodiscard]] T* operator->() const noexcept {
        HEAPWRIGHT_ASSERT(offset_ != kNull, "a null pointer has no object");
        return at();
    }
    /// The `index`-th of a row whose first it points at.
    [[nodiscard]] T& operator[](std::size_t index) const noexcept
        requires(!std::is_void_v<T>)
    {
        HEAPWRIGHT_ASSERT(offset_ != kNull, "a null pointer has no object");
        return at()[index];
    }

    [[nodiscard]] explicit operator bool() const noexcept { return offset_ != kNull; }
    [[nodiscard]] friend bool operator==(const SelfPtr& left, const SelfPtr& right) noexcept { return left.get() == right.get(); }
    [[nodiscard]] friend bool operator==(const SelfPtr& left, const T* right) noexcept { return left.get() == right; }
    [[nodiscard]] friend bool operator==(const SelfPtr& left, std::nullptr_t) noexcept { return !left; }
    [[nodiscard]] friend std::strong_ordering operator<=>(const SelfPtr& left, const SelfPtr& right) noexcept {
        return left.get() <=> right.get();
    }

    /// Without a third pointer, which on the stack would be out of reach of 32 bits from the heap.
    friend void swap(SelfPtr& left, SelfPtr& right) noexcept {
        T* const target = left.get();
        left.set(right.get());
        right.set(target);
    }

    /// The distance as stored, for those who validate foreign bytes before they trust them.
    [[nodiscard]] Offset raw_offset() const noexcept { return offset_; }
    static constexpr Offset kNull = 1;

private:
    static_assert(sizeof(Offset) >= 4, "with fewer bits next to nothing is in reach");

    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::uintptr_t here() const noexcept { return reinterpret_cast<std::uintptr_t>(this); }
    // Through an integer: the compiler may not assume that the T belongs to the same object as this pointer.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE T* at() const noexcept {
        return reinterpret_cast<T*>(here() + static_cast<std::uintptr_t>(static_cast<std::intptr_t>(offset_)));
    }

    Offset offset_ = kNull;
};

static_assert(sizeof(SelfPtr<int>) == 4 && sizeof(SelfPtr<int, std::int64_t>) == 8);

/// A row of T by distance and length. Loops over it run over plain pointers, and so vectorise.
template <class T, std::signed_integral Offset = std::int32_t>
class SelfSpan {
public:
    using size_type = std::make_unsigned_t<Offset>;

    /// Empty.
    constexpr SelfSpan() noexcept = default;

    /// Is that row from now on. Not a constructor: a span made on the stack reaches no row on the heap by 32 bits.
    ///
    /// Requires: the row is within reach and its length fits (checked).
    void set(T* first, std::size_t size) noexcept {
        HEAPWRIGHT_CHECK(size <= std::numeric_limits<size_type>::max(), "a row is too long for 32 bits: take a 64-bit offset");
        first_ = first;
        size_ = static_cast<size_type>(size);
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] T* data() const noexcept { return first_.get(); }
    [[nodiscard]] T* begin() const noexcept { return data(); }
    [[nodiscard]] T* end() const noexcept { return data() + size_; }
    /// Requires: index < size() (checked).
    [[nodiscard]] T& operator[](std::size_t index) const noexcept {
        HEAPWRIGHT_CHECK(index < size_, "an index is past the end of its row");
        return first_[index];
    }

private:
    SelfPtr<T, Offset> first_;
    size_type size_ = 0;
};

static_assert(sizeof(SelfSpan<int>) == 8);

}  // namespace heapwright
