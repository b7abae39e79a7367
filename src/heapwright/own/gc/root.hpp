// Root, WeakRoot and handle scopes: what keeps objects alive from outside the heap.
#pragma once

#include <cstddef>
#include <utility>

#include <heapwright/base/check.hpp>
#include <heapwright/base/platform.hpp>
#include <heapwright/own/gc/detail/collector.hpp>
#include <heapwright/own/gc/detail/mutator.hpp>
#include <heapwright/own/gc/heap.hpp>
#include <heapwright/own/gc/ptr.hpp>

namespace heapwright::gc {

namespace detail {

void link_root(RootNode& node, Collector& collector, bool is_weak) noexcept;
void unlink_root(RootNode& node) noexcept;
/// Reading a weak reference makes it a strong one: while marking in steps the heap must hear of it.
[[nodiscard]] void* strengthen(void* target) noexcept;
HEAPWRIGHT_COLD void grow_handles(Mutator& mutator) noexcept;

}  // namespace detail

/// Keeps an object alive from anywhere: globals, members of ordinary objects, the stack. Linked into its heap.
///
/// Cost:     a lock and two links to make and to end; nothing to read or assign.
/// Thread safety: as a pointer; attached threads only.
template <class T>
class Root {
public:
    /// `name` (a literal, or nullptr) shows in Heap::explain.
    explicit Root(Heap& heap, Ptr<T> target = {}, const char* name = nullptr) noexcept {
        node_.target = plain(target.get());
        node_.name = name;
        node_.stays = Mixin<T>;
        detail::link_root(node_, detail::collector_of(heap), false);
    }
    Root(const Root& other) noexcept { copy(other); }
    Root& operator=(const Root& other) noexcept { return *this = Ptr<T>(other.get()); }
    Root& operator=(Ptr<T> target) noexcept {
        node_.target = plain(target.get());
        return *this;
    }
    Root& operator=(std::nullptr_t) noexcept { return *this = Ptr<T>(); }
    ~Root() { detail::unlink_root(node_); }

    [[nodiscard]] T* get() const noexcept { return static_cast<T*>(node_.target); }
    [[nodiscard]] Ptr<T> ptr() const noexcept { return Ptr<T>(get()); }
    operator Ptr<T>() const noexcept { return ptr(); }
    T* operator->() const noexcept { return get(); }
    T& operator*() const noexcept { return *get(); }
    explicit operator bool() const noexcept { return node_.target != nullptr; }

private:
    static void* plain(T* target) noexcept { return const_cast<void*>(static_cast<const volatile void*>(target)); }
    void copy(const Root& other) noexcept {
        node_.target = other.node_.target;
        node_.name = other.node_.name;
        node_.stays = Mixin<T>;
        detail::link_root(node_, *other.node_.collector, false);
    }

    detail::RootNode node_;
};

/// Knows an object without keeping it alive, from outside the heap.
template <class T>
class WeakRoot {
public:
    explicit WeakRoot(Heap& heap, Ptr<T> target = {}) noexcept {
        node_.target = target.get();
        detail::link_root(node_, detail::collector_of(heap), true);
    }
    WeakRoot(const WeakRoot&) = delete;
    WeakRoot& operator=(const WeakRoot&) = delete;
    WeakRoot& operator=(Ptr<T> target) noexcept {
        node_.target = target.get();
        return *this;
    }
    ~WeakRoot() { detail::unlink_root(node_); }

    /// Returns:  the object while it lives, else nullptr.
    [[nodiscard]] Ptr<T> lock() const noexcept { return Ptr<T>(static_cast<T*>(detail::strengthen(node_.target))); }

private:
    detail::RootNode node_;
};

/// Keeps an object alive and where it is: no collection moves it, whatever its type allows. For addresses that are kept
/// elsewhere or given to code that knows no collector.
///
/// Cost:     as Root.
/// Example:  `gc::Pin<Image> pin{heap, image}; read(file, pin->pixels, size);`
template <class T>
class Pin {
public:
    Pin(Heap& heap, Ptr<T> target) noexcept {
        node_.target = const_cast<void*>(static_cast<const volatile void*>(target.get()));
        node_.name = "a gc::Pin";
        node_.stays = true;
        detail::link_root(node_, detail::collector_of(heap), false);
    }
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;
    ~Pin() { detail::unlink_root(node_); }

    [[nodiscard]] T* get() const noexcept { return static_cast<T*>(node_.target); }
    [[nodiscard]] Ptr<T> ptr() const noexcept { return Ptr<T>(get()); }
    T* operator->() const noexcept { return get(); }
    T& operator*() const noexcept { return *get(); }

private:
    detail::RootNode node_;
};

template <class T>
class Local;

/// Handles made in it keep their objects until it ends. Cheaper than Root: no lock, no links. They nest.
///
/// Requires: scopes of one thread end in the reverse order of their making (asserted).
class HandleScope {
public:
    explicit HandleScope(Heap& heap) noexcept : mutator_(detail::mutator_of(heap)), begin_(mutator_.handles_top) {}
    ~HandleScope() { mutator_.handles_top = begin_; }
    HandleScope(const HandleScope&) = delete;
    HandleScope& operator=(const HandleScope&) = delete;

    template <class T>
    [[nodiscard]] Local<T> hold(Ptr<T> target) noexcept;

private:
    detail::Mutator& mutator_;
    void** begin_;
};

/// A handle: follows its object when that moves. Copies share the handle.
template <class T>
class Local {
public:
    [[nodiscard]] T* get() const noexcept { return static_cast<T*>(*slot_); }
    [[nodiscard]] Ptr<T> ptr() const noexcept { return Ptr<T>(get()); }
    operator Ptr<T>() const noexcept { return ptr(); }
    T* operator->() const noexcept { return get(); }
    T& operator*() const noexcept { return *get(); }
    explicit operator bool() const noexcept { return *slot_ != nullptr; }
    /// Makes this handle, and all copies of it, hold another object.
    void reset(Ptr<T> target) noexcept { *slot_ = target.get(); }

private:
    friend class HandleScope;
    explicit Local(void** slot) noexcept : slot_(slot) {}
    void** slot_;
};

template <class T>
Local<T> HandleScope::hold(Ptr<T> target) noexcept {
    if (HEAPWRIGHT_UNLIKELY(mutator_.handles_top == mutator_.handles_limit)) {
        detail::grow_handles(mutator_);
    }
    *mutator_.handles_top = target.get();
    return Local<T>(mutator_.handles_top++);
}

}  // namespace heapwright::gc
