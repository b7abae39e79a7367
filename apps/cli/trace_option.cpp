#include "trace_option.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "progress.hpp"
#include "status.hpp"

#include <heapwright/study/report/output_file.hpp>

namespace heapwright::cli {

std::optional<study::Findings> analyse_trace(const std::string& path, const study::AnalysisOptions& options, int& status) {
    ProgressLine line{"reading " + path, true};
    auto findings = study::analyse(path, options, [&line](double fraction, std::uint64_t events) { line.update(fraction, events); });
    if (!findings) {
        status = complain(status_for(findings.error()), sentence_for(findings.error(), "read", path));
        return std::nullopt;
    }
    return std::move(*findings);
}

int deliver(const std::string& path, const std::string& text) {
    if (!path.empty() && path != "-") {
        const auto written = study::write_output(path, text);
        return written ? static_cast<int>(Status::done) : complain(Status::usage, sentence_for(written.error(), "write", path));
    }
    if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) {
        return static_cast<int>(Status::done);
    }
    return complain(Status::usage, std::string{"cannot write to standard output: "} + std::strerror(errno) + "; write to a file instead");
}

int why_not_deliverable(const std::string& path) {
    if (path.empty() || path == "-") {
        return static_cast<int>(Status::done);
    }
    const std::string probe = path + ".probe";
    const auto written = study::write_output(probe, "");
    std::remove(probe.c_str());
    return written ? static_cast<int>(Status::done) : complain(Status::usage, sentence_for(written.error(), "write", path));
}

}  // namespace heapwright::cli
