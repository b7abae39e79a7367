// Objects of one type from a pool: made, owned, visited and destroyed.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include <heapwright/alloc/pool/pool.hpp>

namespace heapwright {

/// A pool whose blocks hold T. The size of a T is the compiler's to know: there is nothing to compute by hand.
///
/// Objects still alive at the end are a leak, as for the pool below; with Leaks::forget they are destroyed.
/// Thread safety: that of `Below`: Pool one thread at a time, SharedPool any.
template <class T, class Below = Pool>
class TypedPool {
    static_assert(std::is_nothrow_destructible_v<T>, "a pool destroys objects where nothing may throw");

public:
    /// Destroys what it owns, in its pool.
    class Deleter {
    public:
        constexpr Deleter() noexcept = default;
        explicit Deleter(TypedPool& pool) noexcept : pool_(&pool) {}
        void operator()(T* object) const noexcept { pool_->destroy(object); }

    private:
        TypedPool* pool_ = nullptr;
    };
    using Owner = std::unique_ptr<T, Deleter>;

    /// Example: `TypedPool<Order> orders{os::kPages};`
    explicit TypedPool(SourceRef source, PoolOptions options = {}) noexcept
        : below_(Layout::of<T>(), source, options), leaks_(options.leaks) {}
    TypedPool(const TypedPool&) = delete;
    TypedPool& operator=(const TypedPool&) = delete;
    ~TypedPool() {
        if (leaks_ == Leaks::forget) {
            clear();
        }
    }

    /// Returns:  nullptr when the limit or the source refuses.
    template <class... Args>
    [[nodiscard]] T* try_create(Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>) {
        void* const block = below_.try_allocate();
        if (block == nullptr) {
            return nullptr;
        }
        if constexpr (std::is_nothrow_constructible_v<T, Args...>) {
            return std::construct_at(static_cast<T*>(block), std::forward<Args>(args)...);
        } else {
            Return guard{below_, block};  // a constructor that throws gives its block back
            T* const made = std::construct_at(static_cast<T*>(block), std::forward<Args>(args)...);
            guard.block = nullptr;
            return made;
        }
    }

    /// Requires: limit and source suffice (checked).
    template <class... Args>
    [[nodiscard]] T* create(Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>) {
        T* const made = try_create(std::forward<Args>(args)...);
        HEAPWRIGHT_CHECK(made != nullptr, "out of memory: the pool's limit or source refused; call try_create to go on without");
        return made;
    }

    /// As try_create, with an owner that destroys it. The owner is empty when refused.
    template <class... Args>
    [[nodiscard]] Owner try_make(Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>) {
        return Owner{try_create(std::forward<Args>(args)...), Deleter{*this}};
    }

    /// Requires: a live object of this pool (checked, before its destructor runs).
    void destroy(T* object) noexcept {
        const bool is_ours = below_.try_deallocate_after(object, [object] { std::destroy_at(object); });
        if (HEAPWRIGHT_UNLIKELY(!is_ours)) {
            detail::refuse_foreign_block(object, below_.block_bytes());
        }
    }

    /// Calls `visit(T&)` for each object, in order of address within a slab.
    ///
    /// Requires: `visit` neither makes nor destroys objects of this pool.
    template <class Visit>
    void for_each(Visit visit) const {
        below_.for_each_live([&](void* block) { visit(*std::launder(static_cast<T*>(block))); });
    }

    /// Destroys every object.
    void clear() noexcept {
        for_each([](T& object) { std::destroy_at(&object); });
        below_.release_all();
    }

    [[nodiscard]] bool owns(const T* object) const noexcept { return below_.owns(object); }
    [[nodiscard]] PoolStats stats() noexcept { return below_.stats(); }
    std::size_t trim() noexcept { return below_.trim(); }
    [[nodiscard]] Below& below() noexcept { return below_; }

private:
    struct Return {
        Below& below;
        void* block;
        Return(Below& pool, void* taken) noexcept : below(pool), block(taken) {}
        Return(const Return&) = delete;
        Return& operator=(const Return&) = delete;
        ~Return() {
            if (block != nullptr) {
                below.deallocate(block);
            }
        }
    };

    Below below_;
    Leaks leaks_;
};

}  // namespace heapwright
