// A reference that stays right wherever its image is mapped: the distance from itself to what it refers to.
#pragma once

#include <cstddef>
#include <cstdint>

#include <heapwright/base/check.hpp>

namespace heapwright {

namespace detail {

/// Addresses are added as numbers: an image that is not checked yet may hold any distance.
template <class T>
[[nodiscard]] inline const T* at_distance(const void* from, std::int64_t distance) noexcept {
    return reinterpret_cast<const T*>(reinterpret_cast<std::uintptr_t>(from) + static_cast<std::uintptr_t>(distance));
}
[[nodiscard]] inline std::int64_t distance_between(const void* from, const void* to) noexcept {
    return static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(to) - reinterpret_cast<std::uintptr_t>(from));
}

}  // namespace detail

/// Refers to a T of the same image, or to nothing. 8 bytes; following it is one addition.
///
/// Copying makes another reference to the same T. Memory that is all zero is a reference to nothing.
template <class T>
class ImageRef {
public:
    using element_type = T;

    ImageRef() noexcept = default;
    /// Implicit, so that `node->next = other` reads as with a pointer.
    ImageRef(const T* target) noexcept { set(target); }
    ImageRef(const ImageRef& other) noexcept { set(other.get()); }
    ImageRef& operator=(const ImageRef& other) noexcept {  // NOLINT(cert-oop54-cpp): to itself it sets what is there
        set(other.get());
        return *this;
    }
    ~ImageRef() = default;

    [[nodiscard]] const T* get() const noexcept { return distance_ == 0 ? nullptr : target(); }
    /// Requires: it refers to something (checked in debug builds).
    [[nodiscard]] const T& operator*() const noexcept { return *not_null(); }
    [[nodiscard]] const T* operator->() const noexcept { return not_null(); }
    [[nodiscard]] explicit operator bool() const noexcept { return distance_ != 0; }

    friend bool operator==(const ImageRef& a, const ImageRef& b) noexcept { return a.get() == b.get(); }
    friend bool operator==(const ImageRef& a, const T* b) noexcept { return a.get() == b; }

private:
    // Distances are counted from the middle of the reference: nothing else can be there, so that 0 is free to mean nothing,
    // while a node may well refer to itself, and to the byte just before.
    static constexpr std::size_t kMiddle = 4;

    [[nodiscard]] const void* middle() const noexcept { return reinterpret_cast<const std::byte*>(this) + kMiddle; }
    [[nodiscard]] const T* target() const noexcept { return detail::at_distance<T>(middle(), distance_); }
    [[nodiscard]] const T* not_null() const noexcept {
        HEAPWRIGHT_ASSERT(distance_ != 0, "this reference refers to nothing");
        return target();
    }
    void set(const T* target) noexcept { distance_ = target == nullptr ? 0 : detail::distance_between(middle(), target); }

    std::int64_t distance_ = 0;
};

}  // namespace heapwright
