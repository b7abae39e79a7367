// Owners of branded pointers and indices: any allocator of the library, and a row that grows.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include <heapwright/base/block_source.hpp>
#include <heapwright/base/check.hpp>
#include <heapwright/base/layout.hpp>
#include <heapwright/base/platform.hpp>
#include <heapwright/own/cell/brand.hpp>
#include <heapwright/own/cell/detail/boxed.hpp>
#include <heapwright/own/cell/uninit.hpp>

namespace heapwright {

/// A BlockSource whose objects only it can reach: create() gives a BrandedPtr, and a pointer from an owner of another brand
/// does not compile here. It stays where it was made.
///
/// Objects from an arena (anything with `try_create<T>`) end with it; from any other source they are destroyed one by one.
/// Cost:     that of the source: pointers are no larger than plain ones, and following one is free of any check, but for
///           DynamicBrand in debug builds.
/// Example:  `Branded<Arena, Brand<>> arena{os::kPages}; auto node = arena.create<Node>(1); arena[node].value = 2;`
template <class Source, OwnerBrand B>
class Branded {
    // Whether it destroys what it made.
    static constexpr bool kEndsItself = requires(Source& source) {
        { source.template try_create<int>() } -> std::same_as<int*>;
    };

public:
    template <class T>
    using Ptr = BrandedPtr<T, B>;

    template <class... Args>
        requires std::is_constructible_v<Source, Args...>
    constexpr explicit Branded(Args&&... args) noexcept(std::is_nothrow_constructible_v<Source, Args...>)
        : below_(std::forward<Args>(args)...) {}
    Branded(const Branded&) = delete;
    Branded& operator=(const Branded&) = delete;
    ~Branded() = default;

    /// Returns:  a pointer that names nothing when the source refuses.
    template <class T, class... Args>
    [[nodiscard]] Ptr<T> try_create(Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>) {
        T* made = nullptr;
        if constexpr (kEndsItself) {
            made = below_.template try_create<T>(std::forward<Args>(args)...);
        } else if (void* const block = below_.try_allocate(Layout::of<T>())) {
            Return guard{below_, block, Layout::of<T>()};
            made = std::construct_at(static_cast<T*>(block), std::forward<Args>(args)...);
            guard.block = nullptr;
        }
        return made == nullptr ? Ptr<T>{} : Ptr<T>{made, brand_};
    }
    /// Requires: the source suffices (checked).
    template <class T, class... Args>
    [[nodiscard]] Ptr<T> create(Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>) {
        const Ptr<T> made = try_create<T>(std::forward<Args>(args)...);
        HEAPWRIGHT_CHECK(static_cast<bool>(made), "out of memory: the branded source refused; call try_create to go on without");
        return made;
    }

    /// Ends an object.
    ///
    /// Requires: made here, as this very type, and still alive.
    template <class T>
    void destroy(Ptr<T> pointer) noexcept
        requires(!kEndsItself)
    {
        static_assert(std::is_nothrow_destructible_v<T>, "a destructor that throws leaves nobody to tell");
        T& object = (*this)[pointer];
        std::destroy_at(std::addressof(object));
        below_.deallocate(std::addressof(object), Layout::of<T>());
    }

    /// Requires: the object is alive; for a DynamicBrand, that it was made here (checked in debug builds).
    template <class T>
    [[nodiscard]] T& operator[](Ptr<T> pointer) noexcept {
        return *follow(pointer);
    }
    template <class T>
    [[nodiscard]] const T& operator[](Ptr<T> pointer) const noexcept {
        return *follow(pointer);
    }

    /// The source itself. What it gives is not branded.
    [[nodiscard]] Source& below() noexcept { return below_; }
    [[nodiscard]] const Source& below() const noexcept { return below_; }

private:
    struct Return {
        Source& below;
        void* block;
        Layout layout;
        Return(Source& source, void* taken, Layout as) noexcept : below(source), block(taken), layout(as) {}
        Return(const Return&) = delete;
        Return& operator=(const Return&) = delete;
        ~Return() {
            if (block != nullptr) {
                below.deallocate(block, layout);
            }
        }
    };

    template <class T>
    [[nodiscard]] T* follow(Ptr<T> pointer) const noexcept {
        HEAPWRIGHT_ASSERT(pointer.object_ != nullptr, "a branded pointer that names nothing cannot be followed: test it before use");
        HEAPWRIGHT_ASSERT(pointer.brand_ == brand_, "a branded pointer is not of this owner: it was made by another one of the same type");
        return pointer.object_;
    }

    Source below_;
    [[no_unique_address]] B brand_ = B::make();
};

/// A row of T that grows at its end, reached by indices of 4 bytes that other rows refuse. Nothing is ever removed but
/// everything at once, so an index stays right for the life of the row, wherever its objects move.
///
///   BA1  size <= capacity, and there is a block exactly where capacity is not 0
///
/// Thread safety: one thread at a time.
template <class T, OwnerBrand B>
class BrandedArray {
public:
    using Index = BrandedIndex<B>;

    /// Requires: `source` outlives it.
    explicit BrandedArray(SourceRef source) noexcept : source_(source) {}
    BrandedArray(const BrandedArray&) = delete;
    BrandedArray& operator=(const BrandedArray&) = delete;
    ~BrandedArray() {
        destroy_array(row_, size_);
        give_back(row_, capacity_);
    }

    /// Returns:  an index that names nothing when the source refuses or 2^32 - 1 objects are there; then nothing changed.
    /// Fails:    with what a constructor throws; then nothing changed.
    /// Cost:     O(1) on average; a larger block and a move of everything now and then.
    template <class... Args>
    [[nodiscard]] Index try_emplace_back(Args&&... args) {
        if (size_ == capacity_) {
            return try_emplace_slow(std::forward<Args>(args)...);
        }
        std::construct_at(row_ + size_, std::forward<Args>(args)...);
        return Index{size_++, brand_};
    }
    /// Requires: the source suffices (checked).
    template <class... Args>
    Index emplace_back(Args&&... args) {
        const Index index = try_emplace_back(std::forward<Args>(args)...);
        HEAPWRIGHT_CHECK(static_cast<bool>(index), "out of memory: the source of a row refused; call try_emplace_back to go on without");
        return index;
    }

    /// Requires: an index of this row (that it is in range is checked always, that it is of this row in debug builds and by
    ///           the compiler).
    [[nodiscard]] T& operator[](Index index) noexcept { return row_[checked(index)]; }
    [[nodiscard]] const T& operator[](Index index) const noexcept { return row_[checked(index)]; }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] T* begin() noexcept { return row_; }
    [[nodiscard]] T* end() noexcept { return row_ + size_; }
    [[nodiscard]] const T* begin() const noexcept { return row_; }
    [[nodiscard]] const T* end() const noexcept { return row_ + size_; }

    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() const noexcept {
        return size_ <= capacity_ && (row_ == nullptr) == (capacity_ == 0) ? nullptr : "BA1: a row is longer than its block";
    }

private:
    static_assert(std::is_nothrow_destructible_v<T> && std::is_nothrow_move_constructible_v<T>, "a row moves its objects when it grows");
    static constexpr std::uint32_t kLargest = Index::kNone;

    [[nodiscard]] std::uint32_t checked(Index index) const noexcept {
        HEAPWRIGHT_CHECK(index.index_ < size_, "a branded index is past the end of its row");
        HEAPWRIGHT_ASSERT(index.brand_ == brand_, "a branded index is not of this row: it was made by another one of the same type");
        return index.index_;
    }
    void give_back(T* row, std::uint32_t capacity) noexcept {
        if (row != nullptr) {
            source_.deallocate(row, {.size = sizeof(T) * capacity, .alignment = alignof(T)});
        }
    }
    template <class... Args>
    [[nodiscard]] HEAPWRIGHT_NOINLINE Index try_emplace_slow(Args&&... args) {
        const std::uint32_t doubled = capacity_ > kLargest / 2 ? kLargest : capacity_ * 2;
        const std::uint32_t larger = capacity_ == 0 ? 8 : doubled;
        const auto layout = Layout::array<T>(larger);
        void* const block = larger == capacity_ || !layout ? nullptr : source_.try_allocate(*layout);
        if (block == nullptr) {
            return {};
        }
        detail::BlockGuard guard{source_, block, *layout};
        T* const row = static_cast<T*>(block);
        std::construct_at(row + size_, std::forward<Args>(args)...);  // before the move: an argument may lie in the old row
        guard.release();
        for (std::uint32_t index = 0; index < size_; ++index) {
            std::construct_at(row + index, std::move(row_[index]));
        }
        destroy_array(row_, size_);
        give_back(row_, capacity_);
        row_ = row;
        capacity_ = larger;
        return Index{size_++, brand_};
    }

    SourceRef source_;
    T* row_ = nullptr;
    std::uint32_t size_ = 0;
    std::uint32_t capacity_ = 0;
    [[no_unique_address]] B brand_ = B::make();
};

}  // namespace heapwright
