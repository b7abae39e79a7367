// The report as one self-contained page: the page's code and the document in one file that needs no network.
#pragma once

#include <string>
#include <string_view>

#include <heapwright/study/report/document.hpp>

namespace heapwright::study {

/// Puts title, plain summary and data into the page in place of its three markers (see web/page.hpp).
///
/// Requires: `page` holds each marker, in the order title, summary, data (checked). `title` is plain text, `noscript` is HTML,
///           `packed_json` the gzip'ed document.
[[nodiscard]] std::string assemble_html(std::string_view page, std::string_view title, std::string_view noscript,
                                        std::string_view packed_json);

/// The page of one trace, complete.
[[nodiscard]] std::string html_text(const Findings& findings, const DocumentExtras& extras = {});

/// The page of a comparison, complete.
[[nodiscard]] std::string html_text(const TraceDifference& difference, const DocumentExtras& extras = {});

}  // namespace heapwright::study
