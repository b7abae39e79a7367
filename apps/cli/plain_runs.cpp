#include "plain_runs.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <iterator>
#include <random>
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

void run_once(Variant& variant) {
    variant.runs.push_back(run(variant.request));
    if (variant.request.output) {
        variant.outputs.push_back(output_facts_of(*variant.request.output));
        variant.outputs.back().cut_off = variant.runs.back().stopped;
        keep_first_output(variant);
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

int Variant::interrupted_by() const { return runs.empty() ? 0 : runs.back().interrupted_by; }

std::string kept_output(const Variant& variant) {
    std::string label = variant.label;
    std::ranges::replace_if(label, [](char letter) { return std::isalnum(static_cast<unsigned char>(letter)) == 0; }, '-');
    return variant.request.output ? *variant.request.output + "." + label : std::string{};
}

void run_in_turn(std::vector<Variant>& variants, const std::vector<std::size_t>& chosen, unsigned rounds,
                 const std::function<void(const std::string& what)>& progress) {
    for (unsigned round = 0; round < rounds; ++round) {
        for (std::size_t step = 0; step < chosen.size(); ++step) {
            Variant& variant = variants[chosen[(step + round) % chosen.size()]];
            if (!variant.runs.empty() && !variant.all_well()) {
                continue;
            }
            progress(variant.label + ", run " + std::to_string(round + 1) + " of " + std::to_string(rounds));
            run_once(variant);
            if (variant.interrupted_by() != 0) {
                return;
            }
        }
    }
}

void run_in_pairs(Variant& one, Variant& other, unsigned pairs, const std::function<void(const std::string& what)>& progress) {
    std::random_device lots;
    for (unsigned pair = 0; pair < pairs; ++pair) {
        const bool one_first = lots() % 2 == 0;
        for (Variant* const variant : {one_first ? &one : &other, one_first ? &other : &one}) {
            progress(variant->label + ", run " + std::to_string(pair + 1) + " of " + std::to_string(pairs));
            run_once(*variant);
            if (!variant->all_well()) {
                return;
            }
        }
    }
}

}  // namespace heapwright::cli
