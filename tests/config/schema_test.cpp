#include <heapwright/config/schema.hpp>

#include <set>
#include <string>

#include <doctest/doctest.h>

#include <heapwright/config/memory_config.hpp>

namespace heapwright::test {

namespace {

using config::Field;
using config::FieldKind;

std::string value_text(const Field& field, const void* object) {
    Text<4096> text;
    config::append_value(text, field, object);
    return std::string(text.view());
}

}  // namespace

TEST_CASE("every key has words of its own, and a place of its own") {
    MemoryConfig config;
    PlannedSite site;
    std::set<const void*> places;
    const auto check = [&](const config::Section& section, void* object) {
        CHECK(!section.meaning.empty());
        CHECK(section.fields.size() <= 64);  // a bit for each while reading
        for (const Field& field : section.fields) {
            CHECK(!field.meaning.empty());
            CHECK(!field.expected.empty());
            CHECK(!field.consumer.empty());
            CHECK(field.words.empty() == (field.kind != FieldKind::word));
            CHECK(places.insert(field.place(object)).second);
        }
    };
    for (const config::Section& section : config::sections()) {
        check(section, &config);
    }
    check(config::site_section(), &site);
    CHECK(config::sections().size() <= 16);
}

TEST_CASE("each key of the seeds is there") {
    const std::pair<const char*, const char*> wanted[] = {{"allocator", "strategy"},
                                                          {"allocator", "arena_size"},
                                                          {"allocator", "max_arenas"},
                                                          {"allocator", "enable_custom_allocator"},
                                                          {"pools", "enabled"},
                                                          {"pools", "block_sizes"},
                                                          {"pools", "blocks_per_size"},
                                                          {"pools", "enable_reference_counting"},
                                                          {"gc", "enabled"},
                                                          {"gc", "threshold"},
                                                          {"gc", "interval"},
                                                          {"gc", "enable_compaction"},
                                                          {"fragmentation", "monitor_enabled"},
                                                          {"fragmentation", "defragmentation_threshold"},
                                                          {"fragmentation", "analysis_interval"},
                                                          {"fragmentation", "enable_auto_defragmentation"}};
    for (const auto& [section, key] : wanted) {
        const config::Section* found = config::find_section(section);
        REQUIRE(found != nullptr);
        CHECK(config::find_field(*found, key) != nullptr);
    }
}

TEST_CASE("defaults are within their own ranges") {
    MemoryConfig defaults;
    for (const config::Section& section : config::sections()) {
        for (const Field& field : section.fields) {
            if (field.kind == FieldKind::size || field.kind == FieldKind::duration || field.kind == FieldKind::count) {
                const auto value = *static_cast<std::uint64_t*>(field.place(&defaults));
                CHECK(value >= field.least);
                CHECK(value <= field.most);
            }
        }
    }
    Text<256> mistake;
    CHECK(config::is_whole(defaults, mistake));
}

TEST_CASE("values are printed as they are written") {
    const MemoryConfig config;
    const auto print = [&](const char* section, const char* key) {
        return value_text(*config::find_field(*config::find_section(section), key), &config);
    };
    CHECK(print("allocator", "strategy") == "\"heapwright\"");
    CHECK(print("allocator", "arena_size") == "\"16KiB\"");
    CHECK(print("pools", "block_sizes") == "[\"16B\", \"32B\", \"64B\", \"128B\", \"256B\", \"512B\", \"1KiB\"]");
    CHECK(print("fragmentation", "defragmentation_threshold") == "\"50%\"");
    CHECK(print("fragmentation", "analysis_interval") == "\"10s\"");
    CHECK(print("allocator", "settings") == "[]");
    CHECK(print("gc", "interval") == "0");
}

TEST_CASE("a value out of range or of another type changes nothing and says what is expected") {
    MemoryConfig config;
    const Field& interval = *config::find_field(*config::find_section("fragmentation"), "analysis_interval");
    Text<512> mistake;
    CHECK_FALSE(config::set_field(interval, &config, {.kind = config::ScalarKind::text, .text = "1ms"}, mistake));
    CHECK(mistake.view() == "analysis_interval cannot be \"1ms\"; expected a time, as in \"10s\" or \"250ms\", from \"10ms\" to \"24h\"");
    CHECK(config == MemoryConfig());
}

TEST_CASE("a text that does not fit is refused whole") {
    ConfigText text;
    CHECK(text.append(std::string(ConfigText::kLettersMax, 'x')));
    CHECK_FALSE(text.append("y"));
    CHECK(text.view().size() == ConfigText::kLettersMax);
    CHECK(std::string(text.c_str()) == std::string(ConfigText::kLettersMax, 'x'));
}

}  // namespace heapwright::test
