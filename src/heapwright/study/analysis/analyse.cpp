// Composes the analyses: a trace is played to them once.
#include <heapwright/study/analysis/analyse.hpp>

#include <optional>
#include <utility>

#include <heapwright/study/analysis/census.hpp>
#include <heapwright/study/analysis/facts.hpp>
#include <heapwright/study/analysis/health.hpp>
#include <heapwright/study/analysis/naming.hpp>

namespace heapwright::study {
namespace {

/// Gathers the facts, and starts the census when they are complete.
class AnalysisSink : public SinkDefaults {
public:
    AnalysisSink(const trace::Outline& outline, const AnalysisOptions& options) : facts_(outline), options_(options) {}

    void on_info(const trace::InfoLines& lines) {
        for (const auto& [key, value] : lines) {
            facts_.info[key] = value;
        }
    }
    void on_modules(std::vector<trace::ModuleInfo> modules) { facts_.stacks.add_modules(std::move(modules)); }
    void on_stacks(std::span<const trace::StackNode> nodes) { facts_.stacks.add_nodes(nodes); }
    void on_threads(std::span<const trace::ThreadInfo> threads) {
        facts_.threads.insert(facts_.threads.end(), threads.begin(), threads.end());
    }
    void on_usable(std::span<const trace::UsableSize> pairs) { facts_.usable.add(pairs); }
    void on_samples(std::span<const trace::Sample> samples) {
        facts_.samples.assign(samples.begin(), samples.end());
        facts_.settle();
        census_.emplace(facts_, options_);
    }
    void on_events(std::span<const trace::Event> events) { census_->on_events(events); }
    void on_mappings(trace::Tick tick, std::span<const trace::MapLine> lines) { census_->on_mappings(tick, lines); }

    Findings finish(const trace::Reader& reader, const Played& played) {
        Findings findings;
        census_->finish(findings);
        census_.reset();
        name_sites(findings, facts_.stacks, options_);
        findings.health = judge_health(reader, facts_, played, findings.totals);
        findings.provenance = std::move(facts_.info);
        return findings;
    }

private:
    Facts facts_;
    const AnalysisOptions& options_;
    std::optional<Census> census_;
};

}  // namespace

Result<Findings> analyse(const std::string& trace_path, const AnalysisOptions& options, const Progress& progress) {
    auto reader = trace::Reader::open(trace_path);
    if (!reader) {
        return std::unexpected(reader.error());
    }
    AnalysisSink sink(reader->outline(), options);
    const auto played = play(*reader, sink, progress);
    if (!played) {
        return std::unexpected(played.error());
    }
    return sink.finish(*reader, *played);
}

}  // namespace heapwright::study
