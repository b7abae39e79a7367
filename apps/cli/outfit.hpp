// What a program's environment gets so that it runs as a memory.toml says: the same for `run`, `tune` and a Dockerfile.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <heapwright/config/memory_config.hpp>

namespace heapwright::cli {

/// `problem` says in a sentence why the program cannot run like that; empty: it can.
struct Outfit {
    std::string preload;  ///< put before whatever LD_PRELOAD holds; empty: nothing
    std::vector<std::pair<std::string, std::string>> environment;
    std::string problem;
};

/// `config_path`: the file that `allocator` was read from, for HEAPWRIGHT_CONFIG; empty: there is none.
[[nodiscard]] Outfit outfit_of(const AllocatorConfig& allocator, const std::string& config_path);

/// The name of the strategy as it stands in a memory.toml: "heapwright", "jemalloc".
[[nodiscard]] std::string strategy_name(const AllocatorConfig& allocator);

}  // namespace heapwright::cli
