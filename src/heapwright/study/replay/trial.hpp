// One thing to try: an allocator, its settings, and perhaps an experiment on some sites.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <heapwright/study/replay/placement.hpp>

namespace heapwright::study {

/// A trial that cannot run says why in `problem`; replay() then reports that sentence and goes on with the others.
struct TrialSpec {
    std::string label;      ///< as the user wrote it: "glibc:arena_max=2"
    std::string allocator;  ///< its family: "glibc", "mimalloc" ...; "other" for a path
    std::vector<std::pair<std::string, std::string>> environment;
    std::string preload;  ///< file for LD_PRELOAD; empty: none
    Placement placement;  ///< kind none: no experiment
    double idle_s = 0.1;  ///< between the last event and the question what is retained
    std::string problem;  ///< a sentence without "heapwright: "; empty: it can run
};

/// Understands `glibc`, `mimalloc:purge_delay=0`, `jemalloc:narenas=2,dirty_decay_ms=0`, `/path/to/any.so`,
/// `/path/to/any.so:VARIABLE=value`. Values of bytes may end in K, M or G.
///
/// Returns:  always a spec; an unknown name, an unknown setting or a library that is not installed stands in `problem`.
[[nodiscard]] TrialSpec parse_trial(std::string_view text);

/// A list separated by commas. A piece such as `trim_threshold=1M` that is no trial by itself belongs to the one before.
[[nodiscard]] std::vector<TrialSpec> parse_trials(std::string_view text);

/// The allocators that are installed here, glibc first; then libheapwright.so where it lies beside this program.
[[nodiscard]] std::vector<std::string> installed_allocators();

/// A trial of each of them.
[[nodiscard]] std::vector<TrialSpec> installed_trials();

/// What to put before a command to run it this way: "MALLOC_ARENA_MAX=2", "LD_PRELOAD=/usr/lib/.../libmimalloc.so.2".
[[nodiscard]] std::string how_to_apply(const TrialSpec& spec);

/// Variables that any allocator known here listens to: cleared in a trial that does not set them.
[[nodiscard]] bool is_allocator_variable(std::string_view name);

}  // namespace heapwright::study
