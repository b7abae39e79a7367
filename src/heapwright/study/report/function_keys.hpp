// Numbers for "the same function of the same module", the same for two traces of two builds.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <heapwright/study/analysis/findings.hpp>

namespace heapwright::study {

/// "libsqlite3.so.0.8.6" and "libsqlite3.so.0" are one module to a reader who compares two runs.
[[nodiscard]] std::string_view module_stem(std::string_view module);

/// Gives frames the number of their function: lines, addresses and library versions do not count.
///
/// Thread safety: one caller.
class FunctionKeys {
public:
    using Key = std::uint32_t;

    /// The keys of all frames of `findings`, by FrameId. Further findings share the numbering.
    [[nodiscard]] std::vector<Key> keys_of(const Findings& findings);

    [[nodiscard]] std::size_t size() const { return keys_.size(); }

private:
    std::unordered_map<std::string, Key> keys_;
};

}  // namespace heapwright::study
