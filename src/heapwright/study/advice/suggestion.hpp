// One piece of advice: what to change, why, what it is worth, and the experiment that proves or refutes it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <heapwright/config/memory_config.hpp>
#include <heapwright/study/analysis/findings.hpp>

namespace heapwright::study {

/// One number that a suggestion rests on.
struct Evidence {
    std::string name;  ///< "allocations", "freed within 1 ms"
    double value = 0;
    std::string unit;  ///< "B", "ns", "%", "blocks", or empty for a count
};

/// What a gain is counted in. Bytes are resident memory of the heap.
enum class Gain : std::uint8_t {
    peak,      ///< highest resident memory
    mean,      ///< resident memory over the whole run
    retained,  ///< resident memory once the work is done
    time,      ///< processor time
};
[[nodiscard]] const char* name_of(Gain gain);

/// The replay that would prove the suggestion: the recording once as it was, once changed like this.
struct Experiment {
    enum class Kind : std::uint8_t {
        none,       ///< nothing can be replayed
        allocator,  ///< `target` is another allocator
        setting,    ///< `target` is the same allocator with a setting
        arena_at_site,
        pool_at_site,
        reserve_at_site,
        stack_at_site,
        resize_at_site,  ///< other sizes or alignment
        remove_at_site,  ///< the blocks are never made: what a leak costs
        trim,            ///< the allocator is told to give memory back when half of what was live is gone
        plan,            ///< under `target`, with and without the entries: the sites\' blocks go to a place of their own
    };

    std::string id;  ///< "A1-pool-site-12": first by rank, then rule and site
    Kind kind = Kind::none;
    std::string target;  ///< a replay spec such as "glibc:arena_max=2" or "mimalloc"; "site:12" for placements
    std::vector<SiteId> sites;
    std::vector<trace::StackId> stacks;  ///< of those sites, as the trace numbers them
    Gain gain = Gain::peak;              ///< what has to get better for the suggestion to be proved
    std::uint32_t pool_block_bytes = 0;  ///< pool_at_site: size of a slot
    std::uint32_t pool_alignment = 16;   ///< pool_at_site: of a slot
    std::uint64_t from_size = 0;         ///< resize_at_site: requests of this size become ...
    std::uint64_t to_size = 0;           ///< ... requests of this size; 0: sizes stay
    bool usual_alignment = false;        ///< resize_at_site: over-alignment is dropped
    std::vector<PlannedSite> entries;    ///< plan: for a memory.toml; all of one place
};
[[nodiscard]] const char* name_of(Experiment::Kind kind);

enum class Verdict : std::uint8_t { not_tried, proved, refuted };
[[nodiscard]] const char* name_of(Verdict verdict);

struct Suggestion {
    std::string rule;   ///< the file in study/advice: "pool", "arena", "leak" ...
    std::string title;  ///< one line: "Serve the 48-byte blocks of parse_line from a pool"
    std::optional<SiteId> site;
    std::string where;  ///< "parse_line (parse.cpp:120)"; empty when the whole program is meant
    std::vector<Evidence> evidence;
    std::string what;  ///< what to do, in a sentence or two
    std::string how;   ///< the line or the code to paste
    /// What it is expected to save; 0: nothing is claimed. `arithmetic` says how the figures came about.
    double expected_bytes = 0;
    double expected_seconds = 0;
    std::string arithmetic;
    Experiment experiment;

    Verdict verdict = Verdict::not_tried;
    std::string proof;          ///< a sentence with the measured numbers, or why nothing was measured
    double measured_bytes = 0;  ///< saved by the experiment; negative: it cost more
    double measured_seconds = 0;
};

}  // namespace heapwright::study
