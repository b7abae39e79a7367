// A row of values in an image.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <heapwright/base/check.hpp>
#include <heapwright/own/image/image_ref.hpp>

namespace heapwright {

/// `size()` values of T in a row, elsewhere in the same image. 16 bytes. Memory that is all zero is the empty row.
///
/// Copying makes another name for the same values. Set by ImageWriter::make_vector and ImageWriter::set.
template <class T>
class ImageVector {
public:
    using value_type = T;
    using const_iterator = const T*;

    ImageVector() noexcept = default;
    ImageVector(const ImageVector& other) noexcept { refer_to(other.span()); }
    ImageVector& operator=(const ImageVector& other) noexcept {  // NOLINT(cert-oop54-cpp): to itself it sets what is there
        refer_to(other.span());
        return *this;
    }
    ~ImageVector() = default;

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] const T* data() const noexcept { return detail::at_distance<T>(this, distance_); }
    [[nodiscard]] const T* begin() const noexcept { return data(); }
    [[nodiscard]] const T* end() const noexcept { return data() + size_; }
    /// Requires: index < size() (checked in debug builds).
    [[nodiscard]] const T& operator[](std::size_t index) const noexcept {
        HEAPWRIGHT_ASSERT(index < size_, "this row has no value at the index");
        return data()[index];
    }
    [[nodiscard]] std::span<const T> span() const noexcept { return {data(), size_}; }

    /// Becomes these values, which stay where they are.
    ///
    /// Requires: they are in the same image.
    void refer_to(std::span<const T> values) noexcept {
        size_ = values.size();
        distance_ = values.empty() ? 0 : detail::distance_between(this, values.data());
    }

private:
    std::int64_t distance_ = 0;
    std::uint64_t size_ = 0;
};

}  // namespace heapwright
