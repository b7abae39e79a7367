// Objects of one type in rows: stable addresses, iteration in order of making, destruction together.
#pragma once

#include <cstddef>
#include <iterator>
#include <memory>
#include <type_traits>
#include <utility>

#include <heapwright/alloc/arena/arena.hpp>

namespace heapwright {

/// Makes T after T without a word of overhead for each, visits them in that order, and destroys all at once.
///
///   TA1  next and end lie in the newest chunk in use, or are nullptr
///   TA2  size is the number of objects in the chunks in use
///
/// It stays where it was made, and so does each T until it is rewound, drained or cleared.
/// Thread safety: one thread at a time.
template <class T>
class TypedArena {
    static_assert(std::is_nothrow_destructible_v<T>, "an arena destroys its objects when it is emptied, where nothing may throw");

public:
    explicit TypedArena(SourceRef source, ArenaOptions options = {}) noexcept : chain_({}, source, options) {}
    TypedArena(const TypedArena&) = delete;
    TypedArena& operator=(const TypedArena&) = delete;
    ~TypedArena() {
        clear();
        chain_.release();
    }

    /// Returns:  nullptr when limits or source refuse.
    /// Cost:     about 5 instructions and the constructor; a new chunk now and then.
    template <class... Args>
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE T* try_create(Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>) {
        if (HEAPWRIGHT_UNLIKELY(next_ == end_) && !enter_next_chunk()) {
            return nullptr;
        }
        unpoison(next_, sizeof(T));
        T* const made = std::construct_at(next_, std::forward<Args>(args)...);
        ++next_;
        ++size_;
        return made;
    }

    template <class... Args>
    HEAPWRIGHT_ALWAYS_INLINE T& create(Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>) {
        T* const made = try_create(std::forward<Args>(args)...);
        HEAPWRIGHT_CHECK(made != nullptr, "out of memory: the arena's limit or source refused; call try_create to go on without");
        return *made;
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

    /// Walks the objects in the order of making. Making more keeps iterators valid; those behind a rewind are dead.
    template <class Value>
    class Iterator {
    public:
        using value_type = std::remove_const_t<Value>;
        using reference = Value&;
        using pointer = Value*;
        using difference_type = std::ptrdiff_t;
        using iterator_category = std::forward_iterator_tag;

        Iterator() = default;
        reference operator*() const noexcept { return *at_; }
        pointer operator->() const noexcept { return at_; }
        Iterator& operator++() noexcept {
            ++at_;
            ++index_;
            if (at_ == arena_->row_end(chunk_) && index_ != arena_->size_) {
                chunk_ = chunk_->next;
                at_ = row_begin(chunk_);
            }
            return *this;
        }
        Iterator operator++(int) noexcept {
            Iterator before = *this;
            ++*this;
            return before;
        }
        friend bool operator==(const Iterator& a, const Iterator& b) noexcept { return a.index_ == b.index_; }

    private:
        friend class TypedArena;
        Iterator(const TypedArena* arena, detail::Chunk* chunk, Value* at, std::size_t index) noexcept
            : arena_(arena), chunk_(chunk), at_(at), index_(index) {}

        const TypedArena* arena_ = nullptr;
        detail::Chunk* chunk_ = nullptr;
        Value* at_ = nullptr;
        std::size_t index_ = 0;  // how many objects lie before it: what iterators are compared by
    };
    using iterator = Iterator<T>;
    using const_iterator = Iterator<const T>;

    [[nodiscard]] iterator begin() noexcept { return {this, chain_.first(), first_object(), 0}; }
    [[nodiscard]] iterator end() noexcept { return {this, nullptr, nullptr, size_}; }
    [[nodiscard]] const_iterator begin() const noexcept { return {this, chain_.first(), first_object(), 0}; }
    [[nodiscard]] const_iterator end() const noexcept { return {this, nullptr, nullptr, size_}; }

    /// A moment to come back to.
    class Mark {
        friend class TypedArena;
        const TypedArena* arena_;
        std::size_t size_;
    };
    [[nodiscard]] Mark mark() const noexcept {
        Mark mark{};
        mark.arena_ = this;
        mark.size_ = size_;
        return mark;
    }

    /// Destroys what was made since the mark, the newest first.
    ///
    /// Requires: the mark is this arena's and not younger than what is left (checked).
    void rewind(const Mark& mark) noexcept {
        HEAPWRIGHT_CHECK(mark.arena_ == this, "foreign mark: it was made by another arena; rewind that one");
        HEAPWRIGHT_CHECK(mark.size_ <= size_, "stale mark: what it marks is gone; take marks anew after each rewind or clear");
        destroy_until(mark.size_);
    }

    /// Destroys all, the newest first, and keeps every chunk.
    void clear() noexcept {
        destroy_until(0);
        chain_.retire_after(nullptr);
        chain_.promote_largest();
        next_ = nullptr;
        end_ = nullptr;
    }

    /// Hands each object out by move, in the order of making, and then clears: the way out of a region for what survives it.
    ///
    /// Example: `arena.drain([&](Node&& node) { kept.push_back(std::move(node)); });`
    template <class Take>
    void drain(Take take) {
        for (T& object : *this) {
            take(std::move(object));
        }
        clear();
    }

    /// Returns every retained chunk to the source.
    std::size_t trim() noexcept { return chain_.trim(0); }
    [[nodiscard]] std::size_t owned_bytes() const noexcept { return chain_.owned_bytes(); }
    [[nodiscard]] Errc why_refused() const noexcept { return chain_.why_refused(); }

    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() const noexcept {
        detail::Chunk* const last = chain_.last();
        if (last == nullptr ? next_ != nullptr
                            : (next_ < row_begin(last) || end_ < next_ || reinterpret_cast<std::byte*>(end_) > last->end())) {
            return "TA1: the next object would not lie in the newest chunk";
        }
        std::size_t objects = 0;
        for (detail::Chunk* chunk = last; chunk != nullptr; chunk = chunk->previous) {
            objects += static_cast<std::size_t>(row_end(chunk) - row_begin(chunk));
        }
        return objects == size_ ? chain_.broken_invariant() : "TA2: the objects in the chunks are not as many as the size says";
    }

private:
    [[nodiscard]] static T* row_begin(detail::Chunk* chunk) noexcept { return reinterpret_cast<T*>(align_up(chunk->begin(), alignof(T))); }
    /// Behind the last object of the chunk.
    [[nodiscard]] T* row_end(detail::Chunk* chunk) const noexcept {
        return chunk == chain_.last() ? next_ : reinterpret_cast<T*>(chunk->low);
    }
    [[nodiscard]] T* first_object() const noexcept { return size_ == 0 ? nullptr : row_begin(chain_.first()); }

    [[nodiscard]] bool enter_next_chunk() noexcept;
    void destroy_until(std::size_t size) noexcept;

    T* next_ = nullptr;
    T* end_ = nullptr;
    std::size_t size_ = 0;
    detail::ChunkChain chain_;
};

template <class T>
HEAPWRIGHT_NOINLINE bool TypedArena<T>::enter_next_chunk() noexcept {
    detail::Chunk* const full = chain_.last();
    detail::Chunk* const chunk = chain_.extend(sizeof(T) + alignof(T) - 1);
    if (chunk == nullptr) {
        return false;
    }
    if (full != nullptr) {
        full->low = reinterpret_cast<std::byte*>(next_);
    }
    next_ = row_begin(chunk);
    end_ = next_ + static_cast<std::size_t>(chunk->end() - reinterpret_cast<std::byte*>(next_)) / sizeof(T);
    return true;
}

template <class T>
void TypedArena<T>::destroy_until(std::size_t size) noexcept {
    while (size_ > size) {
        detail::Chunk* const chunk = chain_.last();
        T* const begin = row_begin(chunk);
        for (; next_ != begin && size_ > size; --size_) {
            --next_;
            std::destroy_at(next_);
            poison(next_, sizeof(T));
        }
        if (next_ == begin && size_ > 0) {  // on to the chunk before, which was left full
            detail::Chunk* const before = chunk->previous;
            next_ = reinterpret_cast<T*>(before->low);
            end_ = next_;
            chain_.retire_after(before);
        }
    }
}

}  // namespace heapwright
