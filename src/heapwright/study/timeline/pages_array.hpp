// An array of plain values on pages of its own: it starts as zeros, grows without a second copy, and gives back parts.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

#include <sys/mman.h>

namespace heapwright::study {

/// Memory for the tables of the study, which are large, live long and must not be held twice while they grow.
///
/// Untouched elements are zero and cost no memory. Throws std::bad_alloc where the kernel refuses.
/// Thread safety: one caller.
template <class T>
class PagesArray {
    static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

public:
    PagesArray() = default;
    explicit PagesArray(std::size_t count) { grow(count); }
    PagesArray(PagesArray&& other) noexcept : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
    PagesArray& operator=(PagesArray&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(bytes_, other.bytes_);
        return *this;
    }
    PagesArray(const PagesArray&) = delete;
    PagesArray& operator=(const PagesArray&) = delete;
    ~PagesArray() { clear(); }

    [[nodiscard]] T* data() { return static_cast<T*>(data_); }
    [[nodiscard]] const T* data() const { return static_cast<const T*>(data_); }
    [[nodiscard]] T& operator[](std::size_t index) { return data()[index]; }
    [[nodiscard]] const T& operator[](std::size_t index) const { return data()[index]; }
    /// Elements that fit.
    [[nodiscard]] std::size_t capacity() const { return bytes_ / sizeof(T); }

    /// Makes room for `count` elements; those that were there stay. Elements may move.
    void grow(std::size_t count) {
        if (count > SIZE_MAX / sizeof(T) / 2) {
            throw std::bad_alloc();
        }
        const std::size_t bytes = (count * sizeof(T) + kStep - 1) / kStep * kStep;
        if (bytes <= bytes_) {
            return;
        }
        void* fresh = data_ == nullptr ? mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                                       : mremap(data_, bytes_, bytes, MREMAP_MAYMOVE);
        if (fresh == MAP_FAILED) {
            throw std::bad_alloc();
        }
        data_ = fresh;
        bytes_ = bytes;
        if (bytes >= kHugePageBytes) {
            // Tables are hit at random: 4 KiB pages would cost a page walk at nearly every access. Only a hint.
            static_cast<void>(madvise(data_, bytes_, MADV_HUGEPAGE));
        }
    }

    /// Gives back the memory of elements [first, last), as far as it fills whole steps; they read as zeros afterwards.
    void forget(std::size_t first, std::size_t last) {
        const std::size_t begin = (first * sizeof(T) + kStep - 1) / kStep * kStep;
        const std::size_t end = std::min(last * sizeof(T), bytes_) / kStep * kStep;
        if (begin < end) {
            static_cast<void>(madvise(static_cast<char*>(data_) + begin, end - begin, MADV_DONTNEED));
        }
    }

    void clear() {
        if (data_ != nullptr) {
            munmap(data_, bytes_);
        }
        data_ = nullptr;
        bytes_ = 0;
    }

private:
    static constexpr std::size_t kStep = 64 * 1024;
    static constexpr std::size_t kHugePageBytes = 4 * 1024 * 1024;

    void* data_ = nullptr;
    std::size_t bytes_ = 0;
};

/// A list on a PagesArray: push_back without ever holding two copies.
template <class T>
class PagesList {
public:
    void push_back(const T& value) {
        if (size_ == array_.capacity()) {
            array_.grow(std::max<std::size_t>(1024, size_ + size_ / 2));
        }
        array_[size_++] = value;
    }
    /// Forgets the elements and keeps their room for the next ones.
    void clear() { size_ = 0; }
    void release() {
        array_.clear();
        size_ = 0;
    }
    /// Gives back the memory of most elements before `index`, which read as zeros from now on. Cheap to call for each index.
    void forget_before(std::size_t index) {
        if (index % kStretch == 0 && index != 0) {
            array_.forget(index - kStretch, index);
        }
    }
    void truncate(std::size_t count) { size_ = std::min(size_, count); }

    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] bool empty() const { return size_ == 0; }
    [[nodiscard]] T& operator[](std::size_t index) { return array_[index]; }
    [[nodiscard]] const T& operator[](std::size_t index) const { return array_[index]; }
    [[nodiscard]] T* begin() { return array_.data(); }
    [[nodiscard]] T* end() { return array_.data() + size_; }
    [[nodiscard]] const T* begin() const { return array_.data(); }
    [[nodiscard]] const T* end() const { return array_.data() + size_; }

private:
    static constexpr std::size_t kStretch = 4096;

    PagesArray<T> array_;
    std::size_t size_ = 0;
};

}  // namespace heapwright::study
