// Which allocator the recorded program used, as replay and the rules call it.
#pragma once

#include <map>
#include <string>

namespace heapwright::study {

struct AllocatorInUse {
    enum class Family { glibc, mimalloc, jemalloc, tcmalloc, tbbmalloc, heapwright, other };
    Family family = Family::glibc;
    std::string spec;  ///< for parse_trial(): "glibc", "jemalloc", or a path
    std::string name;  ///< for people: "glibc 2.36"
};

/// From the trace's info lines. Without any, glibc: what a dynamically linked program has.
[[nodiscard]] AllocatorInUse allocator_in_use(const std::map<std::string, std::string>& provenance);

}  // namespace heapwright::study
