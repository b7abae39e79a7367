// A row of plain numbers of a length that does not change: what algorithms answer with, one number for each node or edge.
#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>

#include <heapwright/base/block_source.hpp>
#include <heapwright/base/check.hpp>
#include <heapwright/base/error.hpp>
#include <heapwright/base/layout.hpp>

namespace heapwright::graph {

/// `size()` values of T in one block of a source, which must outlive it. Moves, and never copies by accident.
template <class T>
class Column {
    static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>, "a column holds plain values");

public:
    constexpr Column() noexcept = default;
    Column(Column&& other) noexcept
        : memory_(other.memory_),
          values_(std::exchange(other.values_, nullptr)),
          size_(std::exchange(other.size_, 0)),
          room_(std::exchange(other.room_, 0)) {}
    Column& operator=(Column&& other) noexcept {
        std::swap(memory_, other.memory_);
        std::swap(values_, other.values_);
        std::swap(size_, other.size_);
        std::swap(room_, other.room_);
        return *this;
    }
    Column(const Column&) = delete;
    Column& operator=(const Column&) = delete;
    ~Column() {
        if (values_ != nullptr) {
            memory_.deallocate(values_, Layout{.size = room_ * sizeof(T), .alignment = alignof(T)});
        }
    }

    /// Values that nobody has written yet.
    ///
    /// Fails:    out_of_memory with the bytes asked for; overflow.
    [[nodiscard]] static Result<Column> uninitialised(std::size_t size, SourceRef memory) noexcept {
        const auto layout = Layout::array<T>(size);
        if (!layout) {
            return std::unexpected(layout.error());
        }
        Column column;
        if (size > 0) {
            void* const block = memory.try_allocate(*layout);
            if (block == nullptr) {
                return fail_with(Errc::out_of_memory, layout->size);
            }
            column.memory_ = memory;
            column.values_ = static_cast<T*>(block);
            column.size_ = size;
            column.room_ = size;
        }
        return column;
    }

    /// Fails:    as uninitialised.
    [[nodiscard]] static Result<Column> filled(std::size_t size, T value, SourceRef memory) noexcept {
        auto column = uninitialised(size, memory);
        if (column) {
            for (T& place : *column) {
                place = value;
            }
        }
        return column;
    }

    /// Forgets the values from `size` on; their bytes go back with the block.
    ///
    /// Requires: size <= size() (checked).
    void cut(std::size_t size) noexcept {
        HEAPWRIGHT_CHECK(size <= size_, "a column is only ever cut shorter");
        size_ = size;
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] std::size_t size_bytes() const noexcept { return room_ * sizeof(T); }
    [[nodiscard]] T* data() noexcept { return values_; }
    [[nodiscard]] const T* data() const noexcept { return values_; }
    [[nodiscard]] T* begin() noexcept { return values_; }
    [[nodiscard]] T* end() noexcept { return values_ + size_; }
    [[nodiscard]] const T* begin() const noexcept { return values_; }
    [[nodiscard]] const T* end() const noexcept { return values_ + size_; }
    /// Requires: index < size().
    [[nodiscard]] T& operator[](std::size_t index) noexcept {
        HEAPWRIGHT_ASSERT(index < size_, "a column has no value at this index");
        return values_[index];
    }
    [[nodiscard]] const T& operator[](std::size_t index) const noexcept {
        HEAPWRIGHT_ASSERT(index < size_, "a column has no value at this index");
        return values_[index];
    }
    [[nodiscard]] std::span<T> span() noexcept { return {values_, size_}; }
    [[nodiscard]] std::span<const T> span() const noexcept { return {values_, size_}; }

private:
    SourceRef memory_;
    T* values_ = nullptr;
    std::size_t size_ = 0;
    std::size_t room_ = 0;  // what the block was asked for
};

}  // namespace heapwright::graph
