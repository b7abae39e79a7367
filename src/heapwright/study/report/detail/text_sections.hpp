// The sections of the text report, one function each; each ends with a line feed.
#pragma once

#include <string>
#include <string_view>

#include <heapwright/study/report/text.hpp>

namespace heapwright::study::detail {

[[nodiscard]] std::string summary_section(const Findings& findings, const TextOptions& options);
[[nodiscard]] std::string sites_section(const Findings& findings, const TextOptions& options);
[[nodiscard]] std::string leaks_section(const Findings& findings, const TextOptions& options);
[[nodiscard]] std::string temporary_section(const Findings& findings, const TextOptions& options);
[[nodiscard]] std::string pinned_section(const Findings& findings, const TextOptions& options);
[[nodiscard]] std::string reallocs_section(const Findings& findings, const TextOptions& options);
[[nodiscard]] std::string aligned_section(const Findings& findings, const TextOptions& options);
[[nodiscard]] std::string cross_thread_section(const Findings& findings, const TextOptions& options);
[[nodiscard]] std::string local_section(const Findings& findings, const TextOptions& options);
[[nodiscard]] std::string sizes_section(const Findings& findings, const TextOptions& options);
[[nodiscard]] std::string threads_section(const Findings& findings, const TextOptions& options);
[[nodiscard]] std::string lifetimes_section(const Findings& findings, const TextOptions& options);
[[nodiscard]] std::string fragmentation_section(const Findings& findings, const TextOptions& options);
[[nodiscard]] std::string timeline_section(const Findings& findings, const TextOptions& options);
[[nodiscard]] std::string health_section(const Findings& findings, const TextOptions& options);

/// The two or three curves of the timeline with their scale.
[[nodiscard]] std::string curves(const Findings& findings, const TextOptions& options);

[[nodiscard]] std::string heading(const TextOptions& options, std::string_view title, std::string_view remark = {});

/// A sentence as a paragraph of the terminal's width, after a bullet.
[[nodiscard]] std::string bullet(const TextOptions& options, std::string_view sentence);

/// "time since the start" of a lifetime bucket's lower bound: "1 ms".
[[nodiscard]] std::string power_of_two_ns(std::size_t bucket);

}  // namespace heapwright::study::detail
