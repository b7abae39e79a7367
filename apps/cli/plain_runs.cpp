#include "plain_runs.hpp"

#include <algorithm>
#include <iterator>

namespace heapwright::cli {
namespace {

std::vector<double> figures(const std::vector<RunResult>& runs, double (*figure)(const RunResult&)) {
    std::vector<double> values;
    values.reserve(runs.size());
    std::ranges::transform(runs, std::back_inserter(values), figure);
    return values;
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

bool Variant::all_well() const { return !runs.empty() && std::ranges::all_of(runs, &RunResult::well); }

void run_in_turn(std::vector<Variant>& variants, unsigned rounds, const std::function<void(const std::string& what)>& progress) {
    for (unsigned round = 0; round < rounds; ++round) {
        for (Variant& variant : variants) {
            if (round > 0 && !variant.all_well()) {
                continue;
            }
            progress(variant.label + ", run " + std::to_string(round + 1) + " of " + std::to_string(rounds));
            variant.runs.push_back(run(variant.request));
        }
    }
}

}  // namespace heapwright::cli
