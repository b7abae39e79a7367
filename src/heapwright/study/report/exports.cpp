#include <heapwright/study/report/exports.hpp>

#include <heapwright/study/report/document.hpp>

namespace heapwright::study {

std::string_view name_of(ExportFormat format) {
    switch (format) {
        case ExportFormat::json: return "json";
        case ExportFormat::pprof: return "pprof";
        case ExportFormat::collapsed: return "collapsed";
        case ExportFormat::speedscope: return "speedscope";
        case ExportFormat::perfetto: return "perfetto";
    }
    return {};
}

std::optional<ExportFormat> export_format_of(std::string_view name) {
    for (const ExportFormat format : kExportFormats) {
        if (name_of(format) == name) {
            return format;
        }
    }
    return std::nullopt;
}

std::string_view suffix_of(ExportFormat format) {
    switch (format) {
        case ExportFormat::json: return ".json";
        case ExportFormat::pprof: return ".pb.gz";
        case ExportFormat::collapsed: return ".folded";
        case ExportFormat::speedscope: return ".speedscope.json";
        case ExportFormat::perfetto: return ".trace.json";
    }
    return {};
}

std::string exported(const Findings& findings, ExportFormat format, Weight weight) {
    switch (format) {
        case ExportFormat::json: break;
        case ExportFormat::pprof: return pprof_profile(findings);
        case ExportFormat::collapsed: return collapsed_stacks(findings, weight);
        case ExportFormat::speedscope: return speedscope_profile(findings);
        case ExportFormat::perfetto: return perfetto_trace(findings);
    }
    std::string text;
    write_document(findings, {}, {}, [&](std::string_view piece) { text += piece; });
    return text;
}

}  // namespace heapwright::study
