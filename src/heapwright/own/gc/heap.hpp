// Heap: memory whose objects live as long as something refers to them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <heapwright/base/error.hpp>
#include <heapwright/base/text.hpp>
#include <heapwright/own/gc/config.hpp>
#include <heapwright/own/gc/detail/collector.hpp>
#include <heapwright/own/gc/detail/mutator.hpp>
#include <heapwright/own/gc/detail/stack.hpp>
#include <heapwright/own/gc/ptr.hpp>

namespace heapwright::gc {

namespace detail {

void enter_region(Mutator& mutator) noexcept;

}  // namespace detail

/// How Heap::explain draws a path.
enum class PathStyle : std::uint8_t { text, graphviz };

/// Memory whose objects live as long as something refers to them. Objects never move unless their type allows it.
///
///   G1  the line byte under each marked object says old
///   G2  each member of each object is nullptr or the start of an object of this heap
///   G3  each member of an old object that refers to a young one lies in 16 bytes that are logged
///   G4  the lines that are not free are as many as are counted, and each block knows how many of its are
///   G5  free blocks have free lines only, and as many empty blocks exist as are counted
///   G6  each waiting destructor's object has memory that nobody else was given
///   G7  every root refers to an object of this heap
///
/// Thread safety: each thread that uses it attaches first (ThreadScope); the one that makes it is attached.
/// Example:
///     gc::Heap heap;
///     gc::Root<Node> root{heap, gc::make<Node>(heap, 1)};
class Heap {
public:
    /// Takes no memory for objects yet.
    ///
    /// Requires: a few pages can be mapped (checked).
    explicit Heap(const GcConfig& config = {}) noexcept;
    Heap(const Heap&) = delete;
    Heap& operator=(const Heap&) = delete;
    /// Runs the destructors of all objects, in the order of their making, and gives everything back.
    ///
    /// Requires: no other thread is attached, and no Root is left (checked).
    ~Heap();

    /// Marks everything and frees the rest, with the world stopped.
    ///
    /// Cost:     O(live objects + blocks).
    void collect() noexcept;
    /// Looks at what was allocated since the last collection only.
    void collect_minor() noexcept;
    /// Asks for a collection at the next opportunity of any attached thread.
    ///
    /// Thread safety: any thread, attached or not.
    void request_collection() noexcept;
    /// Collects if GcConfig::interval_ns has passed since the last time. A monitor calls it.
    ///
    /// Thread safety: any thread; one that is not attached only asks for it.
    void tick() noexcept;
    /// Lets a collection happen now if another thread waits for one, or if one is due.
    void safepoint() noexcept;
    /// Everything to the end: marking, destructors, finalisers; and gives back what is empty.
    void collect_and_shrink() noexcept;

    /// Says that a collected object holds so many bytes elsewhere, or (negative) lets them go: they count as allocated.
    ///
    /// Thread safety: any attached thread.
    void adjust_external_bytes(std::ptrdiff_t difference) noexcept;

    /// The function is called once when nothing but finalisable objects refers to `object` any more; the object and what it
    /// refers to are whole then. Of two of which one refers to the other, that one is first. Whatever keeps the object
    /// afterwards is counted in GcStats::resurrected, and the function is not called again.
    ///
    /// Thread safety: any attached thread; it runs on the thread that collected, which may allocate in it.
    template <class T>
    void on_unreachable(Ptr<T> object, void (*function)(T& object, void* context), void* context = nullptr) noexcept {
        add_finaliser(
            object.get(), reinterpret_cast<void*>(function), context,
            [](void* target, void* wrapped, void* given) {
                reinterpret_cast<void (*)(T&, void*)>(wrapped)(*static_cast<T*>(target), given);
            },
            detail::FinaliserKind::after);
    }
    /// The function is called in the pause, before anything is freed: for letting go of outside resources. It may look at
    /// what the object refers to, and may neither allocate nor store references.
    template <class T>
    void before_sweep(Ptr<T> object, void (*function)(T& object, void* context), void* context = nullptr) noexcept {
        add_finaliser(
            object.get(), reinterpret_cast<void*>(function), context,
            [](void* target, void* wrapped, void* given) {
                reinterpret_cast<void (*)(T&, void*)>(wrapped)(*static_cast<T*>(target), given);
            },
            detail::FinaliserKind::before_sweep);
    }

    /// Whether this is an address of one of its objects, or inside of one.
    [[nodiscard]] bool owns(const void* address) const noexcept;
    /// The figures of now; while a pause runs, those of its beginning.
    ///
    /// Thread safety: any thread, attached or not.
    [[nodiscard]] GcStats stats() const noexcept;
    [[nodiscard]] const GcConfig& config() const noexcept { return collector_->config; }
    /// Walks everything, in a pause.
    ///
    /// Returns:  the name of the first invariant that does not hold, or nullptr.
    /// Cost:     O(memory), with the world stopped.
    /// Thread safety: any attached thread.
    [[nodiscard]] const char* broken_invariant() const noexcept;
    /// broken_invariant, which stops the program.
    void verify() const noexcept;

    /// Why is it alive: a shortest path from a root, one line an edge, or a Graphviz digraph.
    ///
    /// Returns:  false when nothing keeps it: it goes with the next full collection. Words on stacks are asked last, as the
    ///           caller's own pointer is one of them.
    /// Cost:     O(live objects), with the world stopped.
    template <class T>
    bool explain(const Ptr<T>& object, TextBuffer& text, PathStyle style = PathStyle::text) const noexcept {
        return explain_object(object.get(), text, style);
    }

private:
    friend detail::Collector& detail::collector_of(const Heap& heap) noexcept;
    using Call = void (*)(void* target, void* function, void* context);

    void add_finaliser(void* object, void* function, void* context, Call call, detail::FinaliserKind kind) noexcept;
    bool explain_object(const void* object, TextBuffer& text, PathStyle style) const noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;

    detail::Collector* collector_;
};

/// A heap of the process, made at the first call and never destroyed.
[[nodiscard]] Heap& default_heap() noexcept;

/// Attaches the calling thread to a heap for a scope. They may be nested.
class ThreadScope {
public:
    explicit ThreadScope(Heap& heap) noexcept;
    ~ThreadScope();
    ThreadScope(const ThreadScope&) = delete;
    ThreadScope& operator=(const ThreadScope&) = delete;

private:
    Heap& heap_;
};

/// A scope in which the calling thread touches nothing of the heap, for example a system call that may block. Collections
/// do not wait for it; leaving the scope waits for one that runs.
class BlockingRegion {
public:
    // Inlined, so that the caller's registers are saved as they are in the caller: what a called function saved on the stack
    // is gone when that function has returned.
    HEAPWRIGHT_ALWAYS_INLINE explicit BlockingRegion(Heap& heap) noexcept : heap_(heap) {
        detail::Mutator& mutator = detail::mutator_of(heap);
        detail::save_registers(mutator.registers);
        mutator.stack_pointer = detail::stack_pointer();
        detail::enter_region(mutator);
    }
    ~BlockingRegion();
    BlockingRegion(const BlockingRegion&) = delete;
    BlockingRegion& operator=(const BlockingRegion&) = delete;

private:
    Heap& heap_;
};

/// Heap::verify as a function.
inline void verify(const Heap& heap) noexcept { heap.verify(); }

}  // namespace heapwright::gc
