// One span and its groups: what it holds at this moment, and how pages of it join.
#pragma once

#include <cstddef>
#include <cstdint>

#include <heapwright/alloc/heap/detail/mesh_bytes.hpp>
#include <heapwright/alloc/heap/detail/mesh_packing.hpp>
#include <heapwright/alloc/heap/detail/mesh_record.hpp>
#include <heapwright/alloc/heap/detail/mesh_window.hpp>
#include <heapwright/alloc/heap/detail/span_aside.hpp>
#include <heapwright/os/thread.hpp>

namespace heapwright::heap {

/// Which spans take part: those of one slice that were put aside long ago, or all; of heaps that ask for it.
struct MeshChoice {
    bool all = false;
    std::uint32_t before = 0;  ///< put aside before this turn of the clock
    [[nodiscard]] bool includes(const Span& span) const noexcept { return is_of_age(span) && may_include(span); }
    /// The same, but for when it was put aside.
    [[nodiscard]] static bool may_include(const Span& span) noexcept {
        const ThreadCache* const cache = span.cache.load(std::memory_order_relaxed);  // under its lock
        const HeapCore& heap = cache == nullptr ? g_default_core : *cache->heap();
        return span.state != SpanState::active && !span.is_mixed() && span.slices == 1 && span.block_bytes >= kLeastMeshedBytes &&
               span.carved != 0 && heap.wants_meshing();
    }

private:
    [[nodiscard]] bool is_of_age(const Span& span) const noexcept {
        return all || span.stamp == 0 || static_cast<std::int32_t>(span.stamp - before) < 0;
    }
};

/// Calls `act` with a span that is put aside, as with_span_aside(), and lets a thread in that waits for it. Requires: the visitor's lock.
template <class Act>
void with_member(Span* span, Rest& rest, Act act) noexcept {
    bool is_awaited = false;
    with_span_aside(span, [&](ThreadCache* cache) {
        act();
        is_awaited = cache != nullptr ? cache->visit_lock().is_contended() : g_default_core.is_awaited();
    });
    if (is_awaited) {
        constexpr std::uint64_t kPauseNs = 20'000;
        os::sleep_ns(kPauseNs);  // the lock is not fair, and the next span is likely to be of this cache
    }
    rest.take_if_due();
}

/// Whether half of it is free, as its owner counted when it put it aside, or left it. Requires: with_member().
[[nodiscard]] bool is_sparse(const Span* span) noexcept;

/// Counts for the groups of a meshed span what is live of them. Requires: with_member().
void tally_span(Span* span, std::uint32_t pass) noexcept;

/// What a span that is put aside holds, if pages of it may join others: of its own where the span is sparse, and of groups of which half
/// died. From then on its thread asks before it frees into it. `pass`: as tally_span() had it.
/// Requires: with_member().  Returns: false where nothing of it may, or its list is not to be believed.
[[nodiscard]] bool look_at_span(Span* span, std::uint32_t pass, MeshSnapshot& snapshot) noexcept;

/// A group while it is made: a file that is mapped over pages of one span after the other.
///
/// Requires: the visitor's lock all the while; no signal handler runs on this thread; the window is open.
class MeshMaking {
public:
    explicit MeshMaking(MeshWindow& window) noexcept : window_(window) {}
    MeshMaking(const MeshMaking&) = delete;
    MeshMaking& operator=(const MeshMaking&) = delete;
    ~MeshMaking();

    /// What is exhausted where none can be made: mappings, as it seems, because memory may be it as well, or something else, such as descriptors.
    enum class Begun : std::uint8_t { yes, without_mapping, without_memory };
    /// `expected`: a bit for each page of the file that will be used, unless what was planned changed.
    [[nodiscard]] Begun begin(MeshPages expected) noexcept;
    /// Makes pages of a span, from `from` on, members, if they still have room at page `at` of the file. Requires: with_member().
    bool add(Span* span, std::uint32_t from, std::uint32_t pages, std::uint32_t at) noexcept;

    /// Pages of its members that held a block, less those of the file.
    [[nodiscard]] std::uint32_t saved_pages() const noexcept { return held_ - bytes_.pages(); }

private:
    MeshWindow& window_;
    std::uint32_t held_ = 0;
    long file_ = -1;
    char* view_ = nullptr;  // of the file
    MeshGroup* group_ = nullptr;
    MeshBytes bytes_;  // in the file
};

}  // namespace heapwright::heap
