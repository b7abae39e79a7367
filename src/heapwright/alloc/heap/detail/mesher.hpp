// Spans whose blocks lie at different places share memory: the mesher finds them, and puts them together.
#pragma once

#include <cstddef>
#include <cstdint>

#include <heapwright/alloc/heap/detail/mesh_record.hpp>
#include <heapwright/os/spin_lock.hpp>

namespace heapwright::heap {

/// Turns meshing on for the heaps that ask for it, if this process may do it. Returns false, after a line on stderr the first time,
/// where it may not.  Thread safety: any thread, at any time.
bool allow_meshing() noexcept;
/// Whether it was allowed.
[[nodiscard]] bool may_mesh() noexcept;
/// allow_meshing(), and the default heap asks for it, with all heaps that do not say otherwise.
bool begin_meshing() noexcept;
/// Whether blocks of the span are laid out so that it can share memory later. Requires: the caller owns the span.
[[nodiscard]] bool is_to_mesh(const Span* span) noexcept;

/// A part of a pass over the spans: it looks at those that were put aside before a turn of the clock, and meshes.
/// `round`: the number of the visitor's rounds; a pass begins with each of them, unless one is under way.
///
/// `missed_ns`: of turns since the last that nobody took, the budgets; kSavesNothing: a thread of the program takes the turn, and no more
/// than its budget.
///
/// Cost: stops within one group of spans of the budget and what was saved of earlier ones, and works so much less in the next turns
/// (work_share.hpp); each span is away for some tens of microseconds.
/// Thread safety: any thread; while one is at it, the others do nothing.
inline constexpr std::uint64_t kSavesNothing = ~std::uint64_t{0};
void mesh_by_clock(std::uint32_t round, std::uint32_t before, std::uint64_t budget_ns, std::uint64_t missed_ns = kSavesNothing) noexcept;
/// Whether a pass has begun and not ended, or is to begin as soon as the clock has time for it: a hint.
[[nodiscard]] bool is_mesh_under_way() noexcept;

/// A whole pass over all spans that are put aside. Returns: bytes of memory that they share now.
std::size_t mesh_all() noexcept;

/// What could not be meshed because of vm.max_map_count, as the last pass found it. A line on stderr tells of the first MiB of it, once.
struct MeshUnmet {
    std::size_t bytes = 0;        ///< 0: it was no hindrance
    std::uint32_t map_count = 0;  ///< the limit that would do
};
[[nodiscard]] MeshUnmet mesh_unmet() noexcept;

/// A meshed span dies: it has its own memory again, then it goes back; or waits until the kernel allows that.
/// Returns whether it may go back now.
[[nodiscard]] bool part_with_mesh(Span* span) noexcept;

/// In the child of fork: the pass that was under way is none.
void reset_mesher_after_fork() noexcept;

}  // namespace heapwright::heap
