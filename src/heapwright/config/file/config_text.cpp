// Printing and explaining a configuration.
#include <algorithm>

#include <heapwright/config/file/config_file.hpp>
#include <heapwright/config/schema.hpp>

namespace heapwright::config {

namespace {

std::string value_text(const Field& field, const void* object) {
    constexpr std::size_t kRoom = 6 * CallerList::kMost * (FileNameText::kLettersMax + 64);  // every letter escaped
    Text<kRoom> text;
    append_value(text, field, object);
    return std::string(text.view());
}

std::string range_text(const Field& field) {
    Text<128> text;
    append_range(text, field);
    return std::string(text.view());
}

void explain_section(std::string& text, const Section& section, std::string_view brackets, const void* object, const void* defaults) {
    text += std::string(brackets.substr(0, brackets.size() / 2)) + std::string(section.name) +
            std::string(brackets.substr(brackets.size() / 2)) + "  " + std::string(section.meaning) + "\n";
    for (const Field& field : section.fields) {
        const std::string value = value_text(field, object);
        const std::string standard = value_text(field, defaults);
        text += "\n  " + std::string(field.key) + " = " + value +
                (value == standard ? "  (the default)" : "  (default: " + standard + ")") + "\n";
        text += "      " + std::string(field.meaning) + "\n";
        text += "      takes " + std::string(field.expected) + range_text(field) + "\n";
        text += "      read by " + std::string(field.consumer) + "\n";
    }
    text += "\n";
}

}  // namespace

std::string print_config(const ConfigFile& file) {
    std::string text;
    for (const Section& section : sections()) {
        text += (text.empty() ? "[" : "\n[") + std::string(section.name) + "]\n";
        for (const Field& field : section.fields) {
            text += std::string(field.key) + " = " + value_text(field, &file.memory) + "\n";
        }
    }
    for (const PlannedSite& site : file.plan) {
        text += print_site(site);
    }
    return text;
}

std::string print_changes(const ConfigFile& file) {
    const MemoryConfig defaults;
    std::string text;
    for (const Section& section : sections()) {
        std::string keys;
        for (const Field& field : section.fields) {
            const std::string value = value_text(field, &file.memory);
            if (value != value_text(field, &defaults)) {
                keys += std::string(field.key) + " = " + value + "\n";
            }
        }
        if (!keys.empty()) {
            text += (text.empty() ? "[" : "\n[") + std::string(section.name) + "]\n" + keys;
        }
    }
    for (const PlannedSite& site : file.plan) {
        text += print_site(site);
    }
    return text;
}

std::string print_site(const PlannedSite& site) {
    const PlannedSite defaults;
    std::string text = "\n[[site]]\n";
    for (const Field& field : site_section().fields) {
        const std::string value = value_text(field, &site);
        if (value != value_text(field, &defaults)) {
            text += std::string(field.key) + " = " + value + "\n";
        }
    }
    return text;
}

std::string explain_config(const ConfigFile& file) {
    const MemoryConfig defaults;
    const PlannedSite no_site;
    std::string text;
    for (const Section& section : sections()) {
        explain_section(text, section, "[]", &file.memory, &defaults);
    }
    const std::size_t sites = file.plan.size();
    text += sites == 0 ? "" : "The plan has " + std::to_string(sites) + (sites == 1 ? " entry" : " entries") + ".\n\n";
    explain_section(text, site_section(), "[[]]", sites == 0 ? &no_site : &file.plan.front(), &no_site);
    return text;
}

}  // namespace heapwright::config
