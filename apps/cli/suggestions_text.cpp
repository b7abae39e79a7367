#include "suggestions_text.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <nlohmann/json.hpp>

#include <heapwright/config/file/config_file.hpp>
#include <heapwright/study/report/units.hpp>

namespace heapwright::cli {
namespace {

using study::Ink;
using study::Suggestion;
using study::Terminal;

std::uint64_t whole(double value) { return static_cast<std::uint64_t>(std::llround(std::max(value, 0.0))); }

std::string evidence_text(const study::Evidence& evidence) {
    std::string value;
    if (evidence.unit == "B") {
        value = study::bytes_text(whole(evidence.value));
    } else if (evidence.unit == "ns") {
        value = study::duration_text(whole(evidence.value));
    } else if (evidence.unit == "%") {
        value = study::share_text(evidence.value / 100);
    } else {
        value = study::count_text(whole(evidence.value)) + (evidence.unit.empty() ? "" : " " + evidence.unit);
    }
    return evidence.name + " " + value;
}

std::string joined_evidence(const Suggestion& suggestion) {
    std::string text;
    for (const study::Evidence& evidence : suggestion.evidence) {
        text += (text.empty() ? "" : "; ") + evidence_text(evidence);
    }
    return text;
}

std::string expected_text(const Suggestion& suggestion) {
    std::string text;
    if (suggestion.expected_bytes > 0) {
        text = study::bytes_text(whole(suggestion.expected_bytes));
    }
    if (suggestion.expected_seconds > 0) {
        text += (text.empty() ? "" : " and ") + study::duration_text(whole(suggestion.expected_seconds * 1e9));
    }
    if (text.empty()) {
        return "nothing is promised; the experiment will say";
    }
    return text + (suggestion.arithmetic.empty() ? "" : " (" + suggestion.arithmetic + ")");
}

std::string indented(const std::string& block, const std::string& margin) {
    std::string text;
    for (std::size_t at = 0; at < block.size();) {
        const std::size_t end = std::min(block.find('\n', at), block.size());
        text += margin + block.substr(at, end - at) + "\n";
        at = end + 1;
    }
    return text;
}

Ink ink_of(study::Verdict verdict) {
    return verdict == study::Verdict::proved ? Ink::good : verdict == study::Verdict::refuted ? Ink::bad : Ink::faint;
}

std::string one(const Suggestion& suggestion, const Terminal& terminal) {
    const auto line = [&terminal](const char* label, const std::string& content) {
        return content.empty() ? std::string{} : "  " + std::string{label} + study::wrapped(content, terminal.width, 12) + "\n";
    };
    const std::string verdict{study::name_of(suggestion.verdict)};
    // A proof begins with its verdict, which has a colour here.
    const bool repeats = suggestion.proof.starts_with(verdict);
    const std::string proof = repeats ? suggestion.proof.substr(verdict.size()) : suggestion.proof.empty() ? "" : ": " + suggestion.proof;
    return study::inked(terminal, Ink::strong, suggestion.experiment.id + "  " + suggestion.title) + "\n" +
           line("where     ", suggestion.where) + line("evidence  ", joined_evidence(suggestion)) + line("what      ", suggestion.what) +
           line("expected  ", expected_text(suggestion)) + "  verdict   " + study::inked(terminal, ink_of(suggestion.verdict), verdict) +
           study::wrapped(proof, terminal.width, 12) + "\n" +
           (suggestion.how.empty() ? "" : "  paste\n" + indented(suggestion.how, "    ")) + "\n";
}

}  // namespace

std::string suggestions_text(const std::vector<Suggestion>& suggestions, const Terminal& terminal) {
    if (suggestions.empty()) {
        return "nothing is worth a change: no rule found a gain above its threshold\n";
    }
    std::string text;
    for (const Suggestion& suggestion : suggestions) {
        text += one(suggestion, terminal);
    }
    return text;
}

std::string suggestions_json(const std::vector<Suggestion>& suggestions) {
    auto json = nlohmann::ordered_json::array();
    for (const Suggestion& suggestion : suggestions) {
        auto evidence = nlohmann::ordered_json::array();
        for (const study::Evidence& item : suggestion.evidence) {
            evidence.push_back({{"name", item.name}, {"value", item.value}, {"unit", item.unit}});
        }
        std::string plan;
        for (const PlannedSite& entry : suggestion.experiment.entries) {
            plan += config::print_site(entry);
        }
        json.push_back({{"id", suggestion.experiment.id},
                        {"rule", suggestion.rule},
                        {"title", suggestion.title},
                        {"where", suggestion.where},
                        {"evidence", std::move(evidence)},
                        {"what", suggestion.what},
                        {"how", suggestion.how},
                        {"plan", std::move(plan)},
                        {"expected_bytes", suggestion.expected_bytes},
                        {"expected_seconds", suggestion.expected_seconds},
                        {"arithmetic", suggestion.arithmetic},
                        {"experiment", study::name_of(suggestion.experiment.kind)},
                        {"target", suggestion.experiment.target},
                        {"verdict", study::name_of(suggestion.verdict)},
                        {"proof", suggestion.proof},
                        {"measured_bytes", suggestion.measured_bytes},
                        {"measured_seconds", suggestion.measured_seconds}});
    }
    return json.dump(1) + "\n";
}

}  // namespace heapwright::cli
