// Weak members, and weak maps whose values live as long as their keys.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <heapwright/base/check.hpp>
#include <heapwright/base/platform.hpp>
#include <heapwright/own/gc/detail/ephemerons.hpp>
#include <heapwright/own/gc/heap.hpp>
#include <heapwright/own/gc/make.hpp>
#include <heapwright/own/gc/ptr.hpp>
#include <heapwright/own/gc/root.hpp>

namespace heapwright::gc {

/// A member that knows an object without keeping it alive. It becomes nullptr in the pause that finds the object dead, before
/// any finaliser runs. Its trace function hands it to the tracer as any other member. Outside of collected objects: WeakRoot.
///
/// Requires: it is not in a standard container (the containers move elements while nobody looks): use WeakMap.
template <class T>
class Weak {
public:
    constexpr Weak() noexcept = default;
    Weak(const Ptr<T>& target) noexcept { *this = target; }
    Weak(const Weak& other) noexcept { *this = other.lock(); }
    Weak& operator=(const Weak& other) noexcept { return *this = other.lock(); }
    Weak& operator=(const Ptr<T>& target) noexcept {
        // The new target is held by nobody but the caller perhaps: while marking in steps the heap must hear of it.
        target_ = static_cast<T*>(detail::strengthen(target.get()));
        if (target_ != nullptr) {
            detail::after_write(this, target_);
        }
        return *this;
    }
    Weak& operator=(std::nullptr_t) noexcept {
        target_ = nullptr;
        return *this;
    }

    /// Returns:  the object while it lives, else nullptr.
    [[nodiscard]] Ptr<T> lock() const noexcept { return Ptr<T>(static_cast<T*>(detail::strengthen(target_))); }
    /// Whether lock() would give nullptr.
    [[nodiscard]] bool expired() const noexcept { return target_ == nullptr; }

private:
    friend class Tracer;
    T* target_ = nullptr;
};

/// Values for keys, kept as long as their keys are: an entry whose key is reachable only through values of the map goes, and
/// takes its value along. Keys are compared by address.
///
/// It may be a member of a collected object (its trace function hands it to the tracer) or of a RootedWeakMap.
/// Cost:     a hash look-up each; a collection looks at each entry of a map that it reaches, several times where the keys of
///           one entry are values of another.
/// Thread safety: as an ordinary container.
template <class K, class V>
class WeakMap {
public:
    /// The value of `key`, nullptr if there is none.
    [[nodiscard]] Ptr<V> find(const Ptr<K>& key) const noexcept {
        void** const value = table_ ? table_->find(key.get()) : nullptr;
        return Ptr<V>(value == nullptr ? nullptr : static_cast<V*>(detail::strengthen(*value)));
    }
    /// Requires: memory suffices (checked).
    void insert(Heap& heap, const Ptr<K>& key, const Ptr<V>& value) {
        HEAPWRIGHT_CHECK(key != nullptr, "a weak map is given nullptr as a key");
        if (!table_ || table_->is_full()) {
            // The three may be nobody's while the new table is made.
            const HandleScope scope(heap);
            const auto held_key = scope_hold(scope, key);
            const auto held_value = scope_hold(scope, value);
            grow(heap);
            table_->insert(held_key.get(), held_value.get());
            return;
        }
        table_->insert(key.get(), value.get());
    }
    bool erase(const Ptr<K>& key) noexcept { return table_ && table_->erase(key.get()); }
    [[nodiscard]] std::size_t size() const noexcept { return table_ ? table_->count : 0; }
    /// `act(K&, V&)` for each entry, in no order; it must not change the map.
    template <class Act>
    void for_each(Act act) const {
        for (std::size_t index = 0; table_ && index < table_->capacity; ++index) {
            const auto& entry = table_->entries()[index];
            if (detail::EphemeronTable::is_key(entry.key)) {
                act(*static_cast<K*>(detail::strengthen(entry.key)), *static_cast<V*>(detail::strengthen(entry.value)));
            }
        }
    }
    void trace(Tracer& tracer) const { tracer.visit(table_); }

private:
    friend class Tracer;

    template <class T>
    static Local<T> scope_hold(const HandleScope& scope, const Ptr<T>& target) noexcept {
        return const_cast<HandleScope&>(scope).hold(target);
    }
    void grow(Heap& heap) {
        const std::size_t capacity = table_ ? detail::EphemeronTable::capacity_for(table_->count + 1) : 8;
        auto table = detail::make_ephemeron_table(heap, capacity);
        if (table_) {
            table->take(*table_);
        }
        table_ = table;
    }

    Ptr<detail::EphemeronTable> table_;
};

}  // namespace heapwright::gc
