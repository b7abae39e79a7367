// The report page as one string: HTML, style and script, without its data.
#pragma once

#include <string_view>

namespace heapwright::study {

/// The page, complete but for three markers, each of which stands in it exactly once:
///
///   <!--HEAPWRIGHT_TITLE-->     plain text, HTML-escaped
///   <!--HEAPWRIGHT_NOSCRIPT-->  HTML for readers without JavaScript: the main numbers as a table
///   <!--HEAPWRIGHT_DATA-->      <script type="application/octet-stream" id="heapwright-data">BASE64</script>, where BASE64 is
///                               the gzip'ed JSON document that schema.ts describes
///
/// Keeps: the page loads nothing and runs nothing but its own script, whatever the data says (content security policy).
extern const std::string_view kReportPage;

}  // namespace heapwright::study
