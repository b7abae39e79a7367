// A growing array on OS pages, for the collector's own lists: it may not ask an allocator that it stands beside.
#pragma once

#include <cstddef>
#include <cstring>
#include <type_traits>

#include <heapwright/base/check.hpp>
#include <heapwright/os/pages.hpp>

namespace heapwright::gc::detail {

/// Thread safety: one thread at a time.
template <class T>
class PageVector {
    static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

public:
    constexpr PageVector() noexcept = default;
    PageVector(const PageVector&) = delete;
    PageVector& operator=(const PageVector&) = delete;
    ~PageVector() { release(); }

    void push(T value) noexcept {
        if (size_ == capacity_) {
            grow_slow();
        }
        data_[size_++] = value;
    }
    T pop() noexcept { return data_[--size_]; }
    void clear() noexcept { size_ = 0; }
    void shrink_to(std::size_t size) noexcept { size_ = size; }
    void release() noexcept {
        if (data_ != nullptr) {
            os::release(data_, os::round_to_pages(capacity_ * sizeof(T)));
        }
        data_ = nullptr;
        size_ = capacity_ = 0;
    }
    /// Appends all of `other` and empties it.
    void take(PageVector& other) noexcept {
        for (const T& value : other) {
            push(value);
        }
        other.clear();
    }

    [[nodiscard]] T& operator[](std::size_t index) noexcept { return data_[index]; }
    [[nodiscard]] const T& operator[](std::size_t index) const noexcept { return data_[index]; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] T* begin() noexcept { return data_; }
    [[nodiscard]] T* end() noexcept { return data_ + size_; }
    [[nodiscard]] const T* begin() const noexcept { return data_; }
    [[nodiscard]] const T* end() const noexcept { return data_ + size_; }

private:
    HEAPWRIGHT_COLD void grow_slow() noexcept {
        const std::size_t bytes = capacity_ == 0 ? os::kPageBytes : 2 * os::round_to_pages(capacity_ * sizeof(T));
        void* const pages = os::map_pages(bytes, "heapwright gc lists");
        HEAPWRIGHT_CHECK(pages != nullptr, "out of memory: no pages for the collector's own lists; give the process more");
        const std::size_t size = size_;
        if (size != 0) {
            std::memcpy(pages, data_, size * sizeof(T));
        }
        release();
        data_ = static_cast<T*>(pages);
        size_ = size;
        capacity_ = bytes / sizeof(T);
    }

    T* data_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

}  // namespace heapwright::gc::detail
