#include "plain_runs.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <iterator>
#include <system_error>

namespace heapwright::cli {
namespace {

std::vector<double> figures(const std::vector<RunResult>& runs, double (*figure)(const RunResult&)) {
    std::vector<double> values;
    values.reserve(runs.size());
    std::ranges::transform(runs, std::back_inserter(values), figure);
    return values;
}

void keep_first_output(const Variant& variant) {
    std::error_code failed;
    if (variant.outputs.size() == 1) {
        std::filesystem::copy_file(*variant.request.output, kept_output(variant), std::filesystem::copy_options::overwrite_existing,
                                   failed);
    }
}

}  // namespace

std::vector<double> Variant::wall_s() const {
    return figures(runs, [](const RunResult& run) { return static_cast<double>(run.wall_ns) / 1e9; });
}

std::vector<double> Variant::cpu_s() const {
    return figures(runs, [](const RunResult& run) { return static_cast<double>(run.cpu_ns) / 1e9; });
}

std::vector<double> Variant::peak_bytes() const {
    return figures(runs, [](const RunResult& run) { return static_cast<double>(run.peak_resident_bytes); });
}

std::vector<double> Variant::idle_bytes() const {
    std::vector<double> values = figures(runs, [](const RunResult& run) { return static_cast<double>(run.idle_resident_bytes); });
    return std::ranges::find(values, 0.0) == values.end() ? values : std::vector<double>{};
}

bool Variant::all_well() const { return !runs.empty() && std::ranges::all_of(runs, &RunResult::well); }

std::string kept_output(const Variant& variant) {
    std::string label = variant.label;
    std::ranges::replace_if(label, [](char letter) { return std::isalnum(static_cast<unsigned char>(letter)) == 0; }, '-');
    return variant.request.output ? *variant.request.output + "." + label : std::string{};
}

void run_in_turn(std::vector<Variant>& variants, unsigned rounds, const std::function<void(const std::string& what)>& progress) {
    for (unsigned round = 0; round < rounds; ++round) {
        for (std::size_t step = 0; step < variants.size(); ++step) {
            Variant& variant = variants[(step + round) % variants.size()];
            if (!variant.runs.empty() && !variant.all_well()) {
                continue;
            }
            progress(variant.label + ", run " + std::to_string(round + 1) + " of " + std::to_string(rounds));
            variant.runs.push_back(run(variant.request));
            if (variant.request.output) {
                variant.outputs.push_back(output_facts_of(*variant.request.output));
                variant.outputs.back().cut_off = variant.runs.back().stopped;
                keep_first_output(variant);
            }
        }
    }
}

}  // namespace heapwright::cli
