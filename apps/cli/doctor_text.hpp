// An examination as text for people and as JSON for programs.
#pragma once

#include <string>

#include <heapwright/study/doctor/examination.hpp>
#include <heapwright/study/doctor/verdict.hpp>
#include <heapwright/study/report/terminal.hpp>

namespace heapwright::cli {

/// The first screen: where each resident byte belongs, and what that means. `arenas`: also a line for each arena of glibc's.
[[nodiscard]] std::string doctor_text(const study::Examination& look, const study::Verdict& verdict, bool arenas,
                                      const study::Terminal& terminal);

/// One line of --watch.
[[nodiscard]] std::string doctor_line(const study::Examination& look, double seconds);

/// The same for programs: bytes under fixed names, null where an estimate cannot know. `before`: the first of two looks, or nullptr.
[[nodiscard]] std::string doctor_json(const study::Examination& look, const study::Verdict& verdict, const study::Examination* before,
                                      double seconds);

}  // namespace heapwright::cli
