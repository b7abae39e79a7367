// What is counted for each thread, and what a thread's next event needs to know about its last ones.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <span>
#include <unordered_map>
#include <vector>

#include <heapwright/study/analysis/activations.hpp>
#include <heapwright/study/analysis/findings.hpp>
#include <heapwright/study/analysis/scale.hpp>
#include <heapwright/study/timeline/live_blocks.hpp>
#include <heapwright/trace/read/metadata.hpp>

namespace heapwright::study {

/// A resize that was entered and has not come back.
struct PendingResize {
    bool is_open = false;       ///< resize_from was seen
    bool is_known = false;      ///< and its block was live
    bool has_block = false;     ///< and is still counted as live: its place was not handed out again
    BlockRecord block;          ///< as it was in the table
    std::uint64_t born = 0;     ///< stamp of its first allocation
    std::uint64_t resizes = 0;  ///< how often it was resized before
};

/// One thread while the events go by. Counters are in the Scale's units.
struct ThreadState {
    ThreadRow row;
    std::uint64_t newest_block = 0;  ///< address of the block that it allocated last, while it has not been given back
    PendingResize resize;
    Activations frames;
};

/// All threads by number.
///
/// Thread safety: one caller.
class ThreadTable {
public:
    /// The state of a thread, made when it comes up first. The reference stays valid.
    ThreadState& state_of(trace::ThreadIndex index) {
        const auto number = static_cast<std::uint32_t>(index);
        if (number < kDirect && direct_[number] != nullptr) {
            return *direct_[number];
        }
        return find_slow(index);
    }
    /// Names and kernel ids. A later entry of a thread replaces the earlier one.
    void describe(std::span<const trace::ThreadInfo> threads);

    [[nodiscard]] std::deque<ThreadState>& all() { return states_; }
    /// The row of thread `index`, or nullptr when it never had an event.
    [[nodiscard]] ThreadRow* row_of(std::uint32_t index);

    /// The rows by thread number, counters turned into counts. Threads that only have a name are left out.
    [[nodiscard]] std::vector<ThreadRow> finish(const Scale& scale);

private:
    ThreadState& find_slow(trace::ThreadIndex index);

    std::deque<ThreadState> states_;
    std::unordered_map<std::uint32_t, ThreadState*> by_index_;
    std::unordered_map<std::uint32_t, trace::ThreadInfo> descriptions_;
    static constexpr std::uint32_t kDirect = 1024;
    std::array<ThreadState*, kDirect> direct_{};
};

}  // namespace heapwright::study
