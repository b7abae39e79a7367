// Collapsed stacks and speedscope: text formats that list stacks outermost function first.
#include <cstdint>
#include <vector>

#include <heapwright/study/report/call_tree.hpp>
#include <heapwright/study/report/document.hpp>
#include <heapwright/study/report/exports.hpp>
#include <heapwright/study/report/json_writer.hpp>

namespace heapwright::study {
namespace {

// An address says nothing without its module.
std::string frame_name(const Frame& frame) {
    return frame.function.starts_with("0x") && !frame.module.empty() ? frame.function + " [" + frame.module + "]" : frame.function;
}

// One function in a line whose separator is ';' and whose end is a number after a space.
std::string collapsed_name(const Frame& frame) {
    std::string name = frame_name(frame);
    for (char& c : name) {
        c = c == ';' ? ':' : static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
    return name.empty() ? "(unknown)" : name;
}

void write_profile(JsonWriter& json, const Findings& findings, Weight weight) {
    std::vector<const Site*> sites;
    std::uint64_t total = 0;
    for (const Site& site : findings.sites) {
        if (value_of(site, weight) > 0) {
            sites.push_back(&site);
            total += value_of(site, weight);
        }
    }
    json.begin_object();
    json.member("type", "sampled");
    json.member("name", name_of(weight));
    json.member("unit", is_bytes(weight) ? "bytes" : "none");
    json.member("startValue", 0);
    json.member("endValue", total);
    json.key("samples");
    json.begin_array();
    for (const Site* site : sites) {
        json.begin_array();
        for (auto frame = site->frames.rbegin(); frame != site->frames.rend(); ++frame) {
            json.value(static_cast<std::uint32_t>(*frame));
        }
        json.end_array();
    }
    json.end_array();
    json.key("weights");
    json.begin_array();
    for (const Site* site : sites) {
        json.value(value_of(*site, weight));
    }
    json.end_array();
    json.end_object();
}

}  // namespace

std::string collapsed_stacks(const Findings& findings, Weight weight) {
    const CallTree tree(findings);
    const auto column = static_cast<std::size_t>(weight);
    std::vector<std::uint64_t> own(tree.nodes().size());
    for (std::size_t i = 0; i < own.size(); ++i) {
        own[i] += tree.nodes()[i].values[column];
        if (i > 0) {
            own[static_cast<std::size_t>(tree.nodes()[i].parent)] -= tree.nodes()[i].values[column];
        }
    }
    std::string text;
    for (std::size_t i = 0; i < own.size(); ++i) {
        if (own[i] == 0) {
            continue;
        }
        std::vector<std::string> path;
        for (auto node = static_cast<std::int32_t>(i); node > 0; node = tree.nodes()[static_cast<std::size_t>(node)].parent) {
            path.push_back(collapsed_name(findings.frames[static_cast<std::size_t>(tree.nodes()[static_cast<std::size_t>(node)].frame)]));
        }
        if (path.empty()) {
            path.emplace_back("(no stack)");
        }
        for (auto name = path.rbegin(); name != path.rend(); ++name) {
            text += (name == path.rbegin() ? "" : ";") + *name;
        }
        text += ' ' + std::to_string(own[i]) + '\n';
    }
    return text;
}

std::string speedscope_profile(const Findings& findings) {
    std::string text;
    JsonWriter json([&](std::string_view piece) { text += piece; }, 2);
    json.begin_object();
    json.member("$schema", "https://www.speedscope.app/file-format-schema.json");
    json.member("name", title_of(findings));
    json.member("exporter", "heapwright");
    json.member("activeProfileIndex", 0);
    json.key("shared");
    json.begin_object();
    json.key("frames");
    json.begin_array();
    for (const Frame& frame : findings.frames) {
        json.begin_object();
        json.member("name", frame_name(frame));
        if (!frame.file.empty()) {
            json.member("file", frame.file);
        }
        if (frame.line != 0) {
            json.member("line", frame.line);
        }
        json.end_object();
    }
    json.end_array();
    json.end_object();
    json.key("profiles");
    json.begin_array();
    for (const Weight weight : kWeights) {
        write_profile(json, findings, weight);
    }
    json.end_array();
    json.end_object();
    json.finish();
    return text;
}

}  // namespace heapwright::study
