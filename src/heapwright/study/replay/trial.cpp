#include <heapwright/study/replay/trial.hpp>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <filesystem>
#include <system_error>

#include <heapwright/study/replay/catalog.hpp>

namespace heapwright::study {

namespace {

namespace fs = std::filesystem;

const detail::Allocator* find_allocator(std::string_view name) {
    for (const detail::Allocator& allocator : detail::catalog()) {
        if (allocator.name == name) {
            return &allocator;
        }
    }
    return nullptr;
}

/// The folders of libraries, and those where a build or an installation of ours has them beside this program.
std::vector<fs::path> folders() {
    std::vector<fs::path> all(detail::library_folders().begin(), detail::library_folders().end());
    std::error_code error;
    const fs::path program = fs::read_symlink("/proc/self/exe", error);
    if (!error) {
        const fs::path prefix = program.parent_path().parent_path();
        all.insert(all.begin(), {program.parent_path(), prefix / "lib", prefix / "lib/x86_64-linux-gnu", prefix / "lib64"});
    }
    return all;
}

std::string find_file(const detail::Allocator& allocator) {
    for (const std::string_view file : allocator.files) {
        for (const fs::path& folder : folders()) {
            std::error_code error;
            const fs::path path = folder / file;
            if (fs::is_regular_file(path, error)) {
                return path.string();
            }
        }
    }
    return {};
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) {
        row[j] = j;
    }
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t above = row[j];
            row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U)});
            diagonal = above;
        }
    }
    return row[b.size()];
}

template <class Items>
std::string names_and_nearest(const Items& items, std::string_view wanted) {
    std::string list;
    std::string_view nearest;
    std::size_t least = 4;  // further away is no slip of the finger
    for (const auto& item : items) {
        list += (list.empty() ? "" : ", ") + std::string(item.name);
        if (const std::size_t distance = edit_distance(item.name, wanted); distance < least) {
            least = distance;
            nearest = item.name;
        }
    }
    return nearest.empty() ? "known are " + list : "did you mean '" + std::string(nearest) + "'? known are " + list;
}

/// "64K" as "65536"; anything that is no number of bytes as an empty string.
std::string plain_number(std::string_view text, bool bytes) {
    const bool negative = text.starts_with('-');
    std::uint64_t number = 0;
    std::size_t at = negative ? 1 : 0;
    const std::size_t begin = at;
    while (at < text.size() && std::isdigit(static_cast<unsigned char>(text[at])) != 0 && number < (std::uint64_t{1} << 53)) {
        number = number * 10 + static_cast<std::uint64_t>(text[at++] - '0');
    }
    if (at == begin) {
        return {};
    }
    std::string_view unit = text.substr(at);
    if (bytes && !unit.empty()) {
        const auto letter = std::toupper(static_cast<unsigned char>(unit[0]));
        const unsigned shift = letter == 'K' ? 10 : letter == 'M' ? 20 : letter == 'G' ? 30 : 0;
        const std::string_view rest = unit.substr(1);
        if (shift == 0 || !(rest.empty() || rest == "iB" || rest == "B")) {
            return {};
        }
        number <<= shift;
        unit = {};
    }
    return unit.empty() ? (negative ? "-" : "") + std::to_string(number) : std::string{};
}

void set_variable(TrialSpec& spec, const detail::Setting& setting, const std::string& value) {
    const auto put = [&spec](std::string_view variable, const std::string& text, char separator) {
        for (auto& [name, old] : spec.environment) {
            if (name == variable) {
                old = separator == 0 ? text : old + separator + text;
                return;
            }
        }
        spec.environment.emplace_back(variable, text);
    };
    if (setting.entry.empty()) {
        put(setting.variable, value, 0);
    } else {
        put(setting.variable, std::string(setting.entry) + setting.assign + value, setting.separator);
    }
    if (!setting.also.empty()) {
        put(setting.also, value, 0);
    }
}

void apply_setting(TrialSpec& spec, const detail::Allocator& allocator, std::string_view piece) {
    const std::size_t equals = piece.find('=');
    const std::string_view name = piece.substr(0, equals);
    const std::string_view value = equals == std::string_view::npos ? std::string_view{} : piece.substr(equals + 1);
    for (const detail::Setting& setting : allocator.settings) {
        if (setting.name != name) {
            continue;
        }
        const std::string text =
            setting.unit == detail::Unit::word ? std::string(value) : plain_number(value, setting.unit == detail::Unit::bytes);
        if (text.empty()) {
            spec.problem = "cannot try '" + spec.label + "': '" + std::string(value) + "' is no value for " + std::string(name) +
                           "; write " + std::string(name) +
                           (setting.unit == detail::Unit::word    ? "=true"
                            : setting.unit == detail::Unit::bytes ? "=64K"
                                                                  : "=2");
            return;
        }
        set_variable(spec, setting, text);
        return;
    }
    spec.problem = "cannot try '" + spec.label + "': " + std::string(allocator.name) + " has no setting '" + std::string(name) + "'; " +
                   (allocator.settings.empty() ? "it has none that is known here" : names_and_nearest(allocator.settings, name));
}

void apply_settings(TrialSpec& spec, const detail::Allocator* allocator, std::string_view settings) {
    while (!settings.empty() && spec.problem.empty()) {
        const std::size_t comma = settings.find(',');
        const std::string_view piece = settings.substr(0, comma);
        settings = comma == std::string_view::npos ? std::string_view{} : settings.substr(comma + 1);
        if (allocator != nullptr) {
            apply_setting(spec, *allocator, piece);
        } else if (const std::size_t equals = piece.find('='); equals != std::string_view::npos && equals > 0) {
            spec.environment.emplace_back(piece.substr(0, equals), piece.substr(equals + 1));
        } else {
            spec.problem = "cannot try '" + spec.label + "': '" + std::string(piece) + "' sets nothing; write VARIABLE=value";
        }
    }
}

TrialSpec parse_path(std::string_view text) {
    TrialSpec spec{.label = std::string(text), .allocator = "other", .environment = {}, .preload = {}, .placement = {}, .problem = {}};
    // A path may hold colons; what follows ".so...:" are settings.
    std::size_t colon = text.find(':', text.find(".so") == std::string_view::npos ? 0 : text.find(".so"));
    spec.preload = std::string(text.substr(0, colon));
    std::error_code error;
    if (!fs::is_regular_file(spec.preload, error)) {
        spec.problem = "cannot try '" + spec.preload + "': no such file; give the path of a shared library that defines malloc";
        return spec;
    }
    spec.preload = fs::absolute(spec.preload, error).string();
    apply_settings(spec, nullptr, colon == std::string_view::npos ? std::string_view{} : text.substr(colon + 1));
    return spec;
}

}  // namespace

TrialSpec parse_trial(std::string_view text) {
    if (text.find('/') != std::string_view::npos) {
        return parse_path(text);
    }
    TrialSpec spec;
    spec.label = std::string(text);
    const std::size_t colon = text.find(':');
    const std::string_view name = text.substr(0, colon);
    const detail::Allocator* const allocator = find_allocator(name);
    if (allocator == nullptr) {
        spec.problem = "cannot try '" + spec.label + "': no allocator has this name; " + names_and_nearest(detail::catalog(), name) +
                       ", or give the path of a shared library";
        return spec;
    }
    spec.allocator = std::string(name);
    if (!allocator->files.empty()) {
        spec.preload = find_file(*allocator);
        if (spec.preload.empty()) {
            spec.problem = "cannot try '" + spec.label + "': " + std::string(allocator->files.front()) + " is not installed; " +
                           (allocator->package.empty()
                                ? "build it first, or give its path"
                                : "install it with 'apt-get install " + std::string(allocator->package) + "', or give its path");
            return spec;
        }
    }
    apply_settings(spec, allocator, colon == std::string_view::npos ? std::string_view{} : text.substr(colon + 1));
    return spec;
}

std::vector<TrialSpec> parse_trials(std::string_view text) {
    std::vector<std::string> pieces;
    while (!text.empty()) {
        const std::size_t comma = text.find(',');
        const std::string_view piece = text.substr(0, comma);
        text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
        const std::size_t equals = piece.find('=');
        const bool setting = equals != std::string_view::npos && piece.substr(0, equals).find_first_of(":/") == std::string_view::npos;
        if (setting && !pieces.empty() && pieces.back().find(':') != std::string::npos) {
            pieces.back() += "," + std::string(piece);
        } else if (!piece.empty()) {
            pieces.emplace_back(piece);
        }
    }
    std::vector<TrialSpec> specs;
    for (const std::string& piece : pieces) {
        specs.push_back(parse_trial(piece));
    }
    return specs;
}

std::vector<std::string> installed_allocators() {
    std::vector<std::string> names;
    for (const detail::Allocator& allocator : detail::catalog()) {
        if (allocator.files.empty() || !find_file(allocator).empty()) {
            names.emplace_back(allocator.name);
        }
    }
    return names;
}

std::vector<TrialSpec> installed_trials() {
    std::vector<TrialSpec> specs;
    for (const std::string& name : installed_allocators()) {
        specs.push_back(parse_trial(name));
    }
    return specs;
}

std::string how_to_apply(const TrialSpec& spec) {
    std::string line;
    for (const auto& [name, value] : spec.environment) {
        line += (line.empty() ? "" : " ") + name + "=" + value;
    }
    if (!spec.preload.empty()) {
        line += (line.empty() ? "" : " ") + std::string("LD_PRELOAD=") + spec.preload;
    }
    return line;
}

bool is_allocator_variable(std::string_view name) {
    if (name == "LD_PRELOAD" || name == "GLIBC_TUNABLES" || name == "MALLOC_CONF" || name == "_RJEM_MALLOC_CONF") {
        return true;
    }
    return name.starts_with("MALLOC_") || name.starts_with("MIMALLOC_") || name.starts_with("TCMALLOC_") ||
           name.starts_with("TBB_MALLOC_") || name.starts_with("HEAPWRIGHT_");
}

}  // namespace heapwright::study
