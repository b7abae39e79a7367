#include "outfit.hpp"

#include <filesystem>
#include <string_view>
#include <system_error>

#include "install.hpp"

#include <heapwright/config/reader.hpp>
#include <heapwright/config/schema.hpp>
#include <heapwright/study/replay/trial.hpp>

namespace heapwright::cli {
namespace {

/// "cannot try 'x': why" is replay's sentence; here nothing is tried.
std::string run_sentence(const std::string& problem) {
    constexpr std::string_view kTry = "cannot try ";
    return problem.starts_with(kTry) ? "cannot run with " + problem.substr(kTry.size()) : problem;
}

}  // namespace

std::string strategy_name(const AllocatorConfig& allocator) {
    const config::Field* field = config::find_field(*config::find_section("allocator"), "strategy");
    return std::string(field->words[static_cast<std::size_t>(allocator.strategy)]);
}

Outfit outfit_of(const AllocatorConfig& allocator, const std::string& config_path) {
    Outfit outfit;
    if (!allocator.enable_custom_allocator) {
        return outfit;
    }
    const bool is_secure = allocator.strategy == MallocStrategy::heapwright_secure;
    const std::string name = is_secure ? "heapwright" : strategy_name(allocator);
    const std::string settings(allocator.settings.view());
    const study::TrialSpec spec = study::parse_trial(settings.empty() ? name : name + ":" + settings);
    outfit.problem = run_sentence(spec.problem);
    outfit.preload = spec.preload;
    outfit.environment = spec.environment;
    if (is_secure) {
        outfit.preload = find_library("libheapwright-secure.so");
        if (outfit.preload.empty()) {
            outfit.problem = "cannot run with 'heapwright-secure': libheapwright-secure.so lies nowhere near this program; build it first";
        }
    }
    if (!config_path.empty()) {
        std::error_code failed;
        const auto whole = std::filesystem::absolute(config_path, failed);
        outfit.environment.emplace_back(config::kConfigVariable, failed ? config_path : whole.string());
    }
    return outfit;
}

}  // namespace heapwright::cli
