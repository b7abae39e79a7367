// MovableHeap: memory whose objects can be moved together, because whoever owns one is told where it went.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <heapwright/base/check.hpp>
#include <heapwright/base/error.hpp>
#include <heapwright/own/handle/detail/store.hpp>
#include <heapwright/own/handle/options.hpp>

namespace heapwright {

template <class T>
class Handle;
template <class T>
class HandleRef;
template <class T>
class MovableBox;
template <class T>
class MovableVector;

/// A heap of objects that may move: fragmentation is undone by moving what is alive together and giving the rest back.
///
///   H1  the live objects of all chunks are as many as are counted
///   H2  every object that may move is known by exactly one owner, which points at it: a name of the table, or a box
///   H3  each chunk with a free slot is in the list of its size for how full it is
///   H4  as many names are taken as objects are named
///   H5  the pages that are counted against the limit are those that chunks were granted
///
/// Objects are reached inside a Borrow (nothing moves while one is held) or through a Pin (one object stays). What lies in it
/// is owned by a Handle, a MovableBox, or one of the containers; each may be used by one thread at a time, different ones by
/// different threads at the same time.
///
/// Thread safety: any thread. A child of fork calls after_fork_in_child() before it uses the heap.
/// Example:
///     MovableHeap heap;
///     Handle<Node> node = *make_handle<Node>(heap, 1);
///     { const Borrow borrow(heap); borrow[node].value += 1; }   // or: node.pin()->value += 1;
///     auto result = heap.compact(1'000'000);                     // a millisecond's worth
class MovableHeap {
public:
    /// Takes addresses, and memory when it is used.
    ///
    /// Requires: the kernel has the addresses (checked); try_make() asks.
    explicit MovableHeap(const MovableHeapOptions& options = {}) noexcept : store_(movable::Store::make(options)) {
        HEAPWRIGHT_CHECK(store_ != nullptr, "no addresses for a heap of movable objects; lower MovableHeapOptions::address_bytes");
    }
    /// Whether the kernel has the addresses that such a heap needs.
    ///
    /// Fails:    out_of_memory (number: the addresses).
    /// Cost:     makes a heap and ends it.
    [[nodiscard]] static Result<void> can_make(const MovableHeapOptions& options) noexcept;
    MovableHeap(const MovableHeap&) = delete;
    MovableHeap& operator=(const MovableHeap&) = delete;
    /// Requires: no object of it is alive (checked).
    ~MovableHeap() { movable::Store::destroy(store_); }

    /// Moves objects together and gives memory back, for so long; the next call goes on where this one stopped. Other threads
    /// go on meanwhile, and wait for a step of MovableHeapOptions::step_ns at the longest.
    ///
    /// Returns:  what was done. Not finished: the budget ran out, or some steps did not begin because of Borrows.
    /// Fails:    timed_out when Borrows let no step begin (number: ns waited; 0: the caller holds one itself);
    ///           limit_reached when another thread compacts already (number: 1). Nothing was moved then.
    /// Cost:     the budget, and at most one batch of 32 KiB and one return of a chunk more.
    [[nodiscard]] Result<DefragmentationResult> compact(std::uint64_t budget_ns = UINT64_MAX) noexcept {
        return store_->compact(budget_ns);
    }

    /// For a thread in the background, every few milliseconds: compacts when more memory than the threshold is vacant, or where a
    /// compaction has begun, and takes no more than its part of the time so far, in turns of 4 ms at least.
    void tick() noexcept { store_->tick(); }

    /// Moves everything that is not pinned, whether or not that makes sense: what still uses an old address is found out.
    ///
    /// Returns:  false when Borrows or a lack of memory did not let it.
    bool move_everything() noexcept { return store_->move_everything(); }

    /// Gives a handle a lower name, if one is free, and one on a page of its own where its page was packed. A heap that once had
    /// many more handles than now has few names on each page of its name table: compact() packs those, which makes their handles
    /// slower to follow; when all that is left was renamed, the table is short and fast again. HandleRefs to the object end.
    template <class T>
    void rename(Handle<T>& handle) noexcept;
    template <class T>
    void rename(MovableVector<T>& vector) noexcept;

    /// Cost:     O(sizes of slots).
    [[nodiscard]] MovableHeapStats stats() const noexcept { return store_->stats(); }
    [[nodiscard]] const MovableHeapOptions& options() const noexcept { return store_->options; }
    /// Whether this is an address inside of it.
    [[nodiscard]] bool owns(const void* address) const noexcept { return store_->chunks.owns(address); }
    /// Whether following needs no fence, because the kernel has barriers for all threads.
    [[nodiscard]] bool has_barriers() const noexcept { return store_->gate.has_barriers(); }
    void after_fork_in_child() noexcept { store_->reset_after_fork(); }

    /// The name of the first invariant that does not hold, or nullptr.
    ///
    /// Requires: no other thread uses it meanwhile.
    /// Cost:     O(objects).
    [[nodiscard]] const char* broken_invariant() const noexcept { return store_->broken_invariant(); }

private:
    friend class Borrow;
    friend movable::Store& store_of(MovableHeap& heap) noexcept;

    movable::Store* store_;
};

/// For the module's own use.
[[nodiscard]] inline movable::Store& store_of(MovableHeap& heap) noexcept { return *heap.store_; }

namespace movable {

/// A stay inside the gate.
class Inside {
public:
    HEAPWRIGHT_ALWAYS_INLINE explicit Inside(Store& store) noexcept : lane_(store.gate.enter()) {}
    HEAPWRIGHT_ALWAYS_INLINE ~Inside() { Gate::leave(lane_); }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;

private:
    Gate::Lane& lane_;
};

/// Of a name whose page was packed: some 50 instructions more. Requires: inside the gate.
[[nodiscard]] HEAPWRIGHT_COLD std::byte* resolve_packed(const Entry* entry) noexcept;
/// Where the object of a name is. Requires: inside the gate.
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::byte* resolve(const std::byte* base, const Entry* entry) noexcept {
    const Entry units = *entry;
    return HEAPWRIGHT_LIKELY(units != kElsewhere) ? const_cast<std::byte*>(base) + units * kEntryUnit : resolve_packed(entry);
}

}  // namespace movable

/// While one is held, nothing in the heap moves: handles are followed by one load more than a pointer (packed names: see
/// MovableHeap::rename), boxes like pointers.
/// Hold it for a task, not for a wait: a compaction gives up when one stays longer than MovableHeapOptions::reader_wait_ns.
///
/// Thread safety: for the thread that made it. A thread may hold several.
/// Cost:     about 2 ns for making and ending it; more when a compaction is at it.
/// Example:  const Borrow borrow(heap);  total += borrow[handle].value;
class Borrow {
public:
    HEAPWRIGHT_ALWAYS_INLINE explicit Borrow(MovableHeap& heap) noexcept : inside_(*heap.store_), base_(heap.store_->chunks.base()) {}
    Borrow(const Borrow&) = delete;
    Borrow& operator=(const Borrow&) = delete;

    /// Requires: the handle or box is not empty, and of this heap (checked in debug builds).
    template <class T>
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE T& operator[](const Handle<T>& handle) const& noexcept {
        return *reinterpret_cast<T*>(follow(handle.entry_));
    }
    template <class T>
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE T& operator[](const HandleRef<T>& ref) const& noexcept {
        return *reinterpret_cast<T*>(follow(ref.entry_));
    }
    template <class T>
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE T& operator[](const MovableBox<T>& box) const& noexcept {
        HEAPWRIGHT_ASSERT(box.payload_ != nullptr && holds(box.payload_), "an empty box, or one of another heap, is followed");
        return *reinterpret_cast<T*>(box.payload_);
    }
    // A Borrow that ends with the expression would leave a reference to something that may move.
    template <class Owner>
    void operator[](const Owner& owner) const&& = delete;

    /// Where the object is until the Borrow ends.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::byte* follow(const movable::Names::Entry* entry) const noexcept {
        HEAPWRIGHT_ASSERT(entry != nullptr && holds(entry), "an empty handle, or one of another heap, is followed");
        return movable::resolve(base_, entry);
    }
    /// Whether it is this heap that it holds still.
    [[nodiscard]] bool holds(const void* address) const noexcept { return movable::Store::of(address).chunks.base() == base_; }

private:
    movable::Inside inside_;
    std::byte* base_;
};

}  // namespace heapwright
