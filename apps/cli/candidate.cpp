#include "candidate.hpp"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <string>

#include <heapwright/base/text.hpp>
#include <heapwright/config/schema.hpp>

namespace heapwright::cli {
namespace {

constexpr std::size_t kLine = 118;

config::Scalar scalar_of(std::string_view text) {
    config::Scalar value;
    const bool digits = !text.empty() && std::ranges::all_of(text, [](unsigned char letter) { return std::isdigit(letter) != 0; });
    if (digits && text.size() < 18) {
        value.kind = config::ScalarKind::integer;
        value.integer = std::stoll(std::string{text});
    } else if (text == "true" || text == "false") {
        value.kind = config::ScalarKind::flag;
        value.flag = text == "true";
    } else {
        value.kind = config::ScalarKind::text;
        value.text = text;
    }
    return value;
}

bool set(MemoryConfig& memory, std::string_view section, std::string_view key, std::string_view text) {
    const config::Field* field = config::find_field(*config::find_section(section), key);
    Text<512> mistake;
    return field != nullptr && config::set_field(*field, &memory, scalar_of(text), mistake);
}

/// heapwright's own settings are keys of [heap]; those of other allocators stand in one list.
bool set_all(MemoryConfig& memory, std::string_view settings) {
    while (!settings.empty()) {
        const std::size_t comma = settings.find(',');
        const std::string_view piece = settings.substr(0, comma);
        settings = comma == std::string_view::npos ? std::string_view{} : settings.substr(comma + 1);
        const std::size_t equals = piece.find('=');
        const bool ours = memory.allocator.strategy == MallocStrategy::heapwright;
        const bool done = ours ? equals != std::string_view::npos && set(memory, "heap", piece.substr(0, equals), piece.substr(equals + 1))
                               : set(memory, "allocator", "settings", piece);
        if (!done) {
            return false;
        }
    }
    return true;
}

/// One remark as lines of a comment.
std::string comment(std::string remark) {
    std::ranges::replace_if(remark, [](unsigned char letter) { return letter < ' ' || letter == 0x7f; }, '?');
    std::string text;
    std::string line = "#";
    for (std::size_t at = 0; at < remark.size();) {
        const std::size_t end = std::min(remark.find(' ', at), remark.size());
        if (line.size() + 1 + end - at > kLine && line.size() > 1) {
            text += line + "\n";
            line = "#";
        }
        line += " " + remark.substr(at, end - at);
        at = end + 1;
    }
    return text + line + "\n";
}

}  // namespace

std::optional<Candidate> candidate_of_trial(std::string_view spec) {
    Candidate candidate{.label = std::string{spec}, .file = {}};
    const std::size_t colon = spec.find(':');
    MemoryConfig& memory = candidate.file.memory;
    if (spec.contains('/') || !set(memory, "allocator", "strategy", spec.substr(0, colon)) ||
        (colon != std::string_view::npos && !set_all(memory, spec.substr(colon + 1)))) {
        return std::nullopt;
    }
    return candidate;
}

std::string candidate_text(const Candidate& candidate, const std::vector<std::string>& remarks) {
    std::string text;
    for (const std::string& remark : remarks) {
        text += comment(remark);
    }
    const std::string keys = config::print_changes(candidate.file);
    const bool implied = candidate.file.memory.allocator == AllocatorConfig();
    return text + (implied ? "\n[allocator]\nstrategy = \"heapwright\"\n" : "") + (keys.empty() || keys.front() == '\n' ? "" : "\n") + keys;
}

}  // namespace heapwright::cli
