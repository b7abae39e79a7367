// Everything a trace says outside of its events, gathered before the first event is played.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <heapwright/study/analysis/scale.hpp>
#include <heapwright/study/analysis/stack_tree.hpp>
#include <heapwright/study/analysis/usable_sizes.hpp>
#include <heapwright/study/timeline/tick_clock.hpp>
#include <heapwright/trace/read/metadata.hpp>
#include <heapwright/trace/read/reader.hpp>

namespace heapwright::study {

/// Thread safety: after settle(), const members from any thread.
struct Facts {
    explicit Facts(const trace::Outline& trace_outline) : outline(trace_outline) {}

    trace::Outline outline;
    std::map<std::string, std::string> info;
    StackTree stacks;
    std::vector<trace::ThreadInfo> threads;
    UsableSizes usable;
    std::vector<trace::Sample> samples;  // by tick

    // Made of the above by settle():
    Scale scale;
    TickClock clock;
    bool is_forked = false;  // the process began as a copy of one with blocks of its own

    /// Call once all metadata is in.
    void settle();

    /// The number behind an info key; `otherwise` where there is none.
    [[nodiscard]] std::uint64_t number(const std::string& key, std::uint64_t otherwise = 0) const;
    [[nodiscard]] bool has_events() const { return outline.events != 0; }
};

}  // namespace heapwright::study
