// What `tune` may recommend: a memory.toml, with the name by which people know it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <heapwright/config/file/config_file.hpp>

namespace heapwright::cli {

/// A change from outside, as `heapwright run --config` applies it.
struct Candidate {
    std::string label;  ///< "heapwright:purge_delay=0", "glibc:arena_max=2", "heapwright with a plan of 3 sites"
    config::ConfigFile file;

    /// The plain program is a candidate, too: it is what remains when nothing is worth a change.
    [[nodiscard]] bool changes_nothing() const noexcept { return !file.memory.allocator.enable_custom_allocator; }
};

/// The memory.toml that runs a program as the trial `spec` ("jemalloc:narenas=2") was replayed.
///
/// Returns:  nothing for a library of its own path, an unknown name, or a setting that a memory.toml has no key for.
[[nodiscard]] std::optional<Candidate> candidate_of_trial(std::string_view spec);

/// The file as text: `remarks` as comments, then what differs from the defaults.
[[nodiscard]] std::string candidate_text(const Candidate& candidate, const std::vector<std::string>& remarks);

}  // namespace heapwright::cli
