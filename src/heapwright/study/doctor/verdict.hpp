// What an examination means: leak, retention or fragmentation, in a few sentences, and the cheapest thing to do.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <heapwright/study/doctor/examination.hpp>

namespace heapwright::study {

enum class VerdictKind : std::uint8_t {
    healthy,        ///< most of it is in use, or there is little
    growth,         ///< live blocks became more between two looks: a leak, if it goes on
    retention,      ///< whole free OS pages that the allocator keeps
    fragmentation,  ///< free bytes on OS pages that live blocks pin
    outside,        ///< most of it is not malloc's
    unknown,        ///< what is live cannot be told from what is free
};
[[nodiscard]] const char* name_of(VerdictKind kind);

struct Verdict {
    VerdictKind kind = VerdictKind::unknown;
    std::vector<std::string> sentences;
    std::string fix;  ///< a sentence; empty: nothing is to be done
};

/// Judges one look, or with `before` what became of the process within `seconds`.
[[nodiscard]] Verdict judge(const Examination& now, const Examination* before = nullptr, double seconds = 0);

}  // namespace heapwright::study
