// A pass: what died in groups is counted, candidates are looked at, each under its lock for a moment; then they are put together on
// paper; then each set is looked at again and made.
//
//   snapshot of a span ── whole, in parts, or page by page ──► sets of disjoint pieces ──► a file, mapped over each of them
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <heapwright/alloc/heap/detail/mesh_member.hpp>
#include <heapwright/alloc/heap/detail/mesh_packing.hpp>
#include <heapwright/alloc/heap/detail/mesh_window.hpp>
#include <heapwright/alloc/heap/detail/mesher.hpp>
#include <heapwright/alloc/heap/detail/span_aside.hpp>

namespace heapwright::heap {

/// A walk over the first region that makes plans, and the plans.
///
/// Thread safety: one thread at a time, but for what is said to be a hint or a figure.
class MeshPass {
public:
    constexpr MeshPass() noexcept = default;
    MeshPass(const MeshPass&) = delete;
    MeshPass& operator=(const MeshPass&) = delete;

    [[nodiscard]] bool is_under_way() const noexcept { return packing_.has_room(); }
    /// The same, for everybody: a hint.
    [[nodiscard]] bool seems_under_way() const noexcept { return is_under_way_.load(std::memory_order_relaxed); }  // as it is said
    /// Whether it works at its plan, or makes what was planned.
    [[nodiscard]] bool is_looked() const noexcept { return is_under_way() && (step_ == Step::pack || step_ == Step::make); }
    /// Whether many spans are sparse that are not in this pass, or the last one: a plan of all finds more.
    [[nodiscard]] bool is_of_part() const noexcept { return young_ > sparse_ / 4; }
    /// Returns false when memory is exhausted.
    bool begin(const MeshChoice& choice) noexcept;
    /// Goes on until the moment `end`; afterwards the pass is over, or is not.
    void go_on(std::uint64_t end, bool is_clock) noexcept;
    void end() noexcept;
    /// Pages that this pass, or the last one, saved so far, and spans that it looked into.
    [[nodiscard]] std::uint64_t saved_pages() const noexcept { return saved_pages_; }
    [[nodiscard]] std::uint32_t looked_at() const noexcept { return looked_at_; }
    /// As the last pass that came to its end found it; figures.
    [[nodiscard]] MeshUnmet unmet() const noexcept {
        return {.bytes = told_bytes_.load(std::memory_order_relaxed),           // a figure
                .map_count = told_map_count_.load(std::memory_order_relaxed)};  // as above
    }

    MeshWindow window;  // closed but while files are made

private:
    enum class Step : std::uint8_t { tally, look, pack, make };
    /// Whether the process has nearly all mappings that it may.
    enum class Shortage : std::uint8_t { unknown, no, yes };
    /// What was not made for want of mappings.
    struct LeftOut {
        std::size_t bytes = 0;
        std::uint32_t mappings = 0;
    };

    void walk(std::uint64_t end) noexcept;
    void look_at(std::uint32_t slice) noexcept;
    MeshMaking::Begun make(std::uint32_t level) noexcept;
    MeshMaking::Begun make_files(std::uint64_t end) noexcept;
    [[nodiscard]] bool lacks_mappings() noexcept;
    void leave_out(const MeshSet& set, std::uint32_t saved_pages, std::uint32_t made) noexcept;
    void leave_out_level(MeshMaking::Begun why) noexcept;
    void make_some(std::uint64_t end) noexcept;
    void tell_unmet() noexcept;

    Step step_ = Step::tally;
    std::uint32_t number_ = 0;  // of the pass
    std::uint32_t slice_ = 0;
    std::uint32_t slices_ = 0;
    MeshChoice choice_;
    std::uint32_t mappings_allowed_ = 0;
    LeftOut left_out_;
    Shortage shortage_ = Shortage::unknown;  // as it was when it was asked for first
    std::uint32_t level_ = 0;
    std::uint64_t saved_pages_ = 0;
    std::uint32_t looked_at_ = 0;
    std::uint32_t sparse_ = 0;  // spans that are chosen
    std::uint32_t young_ = 0;   // that are as sparse, and were put aside too lately
    bool is_done_ = false;
    Rest rest_;
    MeshPacking packing_;
    std::atomic<bool> is_under_way_{false};
    std::atomic<std::size_t> told_bytes_{0};
    std::atomic<std::uint32_t> told_map_count_{0};
    bool has_told_ = false;  // of what is unmet
};

}  // namespace heapwright::heap
