#include <heapwright/config/file/config_file.hpp>

#include <string>

#include <doctest/doctest.h>

#include <heapwright/config/reader.hpp>
#include <heapwright/config/schema.hpp>

#include <tests/support/random.hpp>

namespace heapwright::test {

namespace {

using config::ConfigFile;
using config::Field;
using config::FieldKind;

std::string random_text(Random& random) {
    constexpr std::string_view kLetters = "abz059_-=./\\\"'# \t\n\x01\x7F\xC3\xA9";
    std::string text;
    for (std::uint64_t length = random.below(40); length > 0; --length) {
        text += kLetters[random.below(kLetters.size() - 2)];  // not a half of the last letter
    }
    return text + (random.one_in(3) ? "\xC3\xA9" : "");
}

/// A value that the field takes. Lists are filled by the caller's repetition.
void randomise(const Field& field, void* object, Random& random) {
    const std::uint64_t most = std::min<std::uint64_t>(field.most, INT64_MAX);
    const auto number = [&] { return field.least + random.size_up_to(most - field.least); };
    void* const place = field.place(object);
    switch (field.kind) {
        case FieldKind::flag: *static_cast<bool*>(place) = random.one_in(2); break;
        case FieldKind::count:
        case FieldKind::size:
        case FieldKind::duration: *static_cast<std::uint64_t*>(place) = number(); break;
        case FieldKind::share: static_cast<Share*>(place)->millionths = static_cast<std::uint32_t>(random.below(Share::kWhole + 1)); break;
        case FieldKind::word: *static_cast<std::uint8_t*>(place) = static_cast<std::uint8_t>(random.below(field.words.size())); break;
        case FieldKind::text:
            static_cast<ConfigText*>(place)->clear();
            CHECK(static_cast<ConfigText*>(place)->append(random_text(random)));
            break;
        case FieldKind::texts:
            static_cast<ConfigText*>(place)->clear();
            CHECK(static_cast<ConfigText*>(place)->append(random.one_in(2) ? "a=1,b=\"2\",c" : ""));
            break;
        case FieldKind::sizes: {
            auto& list = *static_cast<SizeList*>(place);
            list = SizeList();
            std::uint64_t size = field.least;
            for (std::uint64_t count = random.below(SizeList::kMost + 1); count > 0; --count) {
                list.values[list.count++] = size;
                size += random.between(1, 5000);
            }
            break;
        }
        case FieldKind::build_id: {
            auto& id = *static_cast<BuildId*>(place);
            id = BuildId();
            id.size = static_cast<std::uint8_t>(random.between(1, BuildId::kBytesMax));
            for (std::size_t i = 0; i < id.size; ++i) {
                id.bytes[i] = static_cast<std::uint8_t>(random.next());
            }
            break;
        }
        case FieldKind::callers: {
            auto& list = *static_cast<CallerList*>(place);
            list = CallerList();
            for (std::uint64_t count = random.below(CallerList::kMost + 1); count > 0; --count) {
                CallerCode& caller = list.values[list.count++];
                caller.module.size = static_cast<std::uint8_t>(random.between(1, BuildId::kBytesMax));
                caller.module.bytes[0] = static_cast<std::uint8_t>(random.next());
                caller.offset = random.next() >> random.between(1, 60);
                CHECK(caller.file.append(random.one_in(2) ? "" : "a \"file\".so.6"));
            }
            break;
        }
        case FieldKind::offsets: {
            auto& list = *static_cast<OffsetList*>(place);
            list = OffsetList();
            for (std::uint64_t count = random.between(1, OffsetList::kMost); count > 0; --count) {
                list.values[list.count++] = random.next() >> random.between(1, 60);
            }
            break;
        }
    }
}

ConfigFile random_file(Random& random) {
    ConfigFile file;
    for (const config::Section& section : config::sections()) {
        for (const Field& field : section.fields) {
            randomise(field, &file.memory, random);
        }
    }
    AllocatorConfig& allocator = file.memory.allocator;
    allocator.largest_chunk_bytes = std::max(allocator.largest_chunk_bytes, allocator.arena_size_bytes);
    file.memory.heap.reserve_bytes &= ~((std::uint64_t{1} << 30) - 1);
    for (std::uint64_t sites = random.below(5); sites > 0; --sites) {
        PlannedSite site;
        for (const Field& field : config::site_section().fields) {
            randomise(field, &site, random);
        }
        site.callers.count = std::min<std::uint32_t>(site.callers.count, OffsetList::kMost - site.returns.count);
        std::fill(site.callers.values.begin() + site.callers.count, site.callers.values.end(), CallerCode());
        if (site.min_bytes > site.max_bytes) {
            std::swap(site.min_bytes, site.max_bytes);
        }
        file.plan.push_back(site);
    }
    return file;
}

std::string mistakes_of(std::string_view text) {
    std::string lines;
    for (const config::ConfigMistake& mistake : config::check_config(text).mistakes) {
        lines += config::sentence_of(mistake, "m") + "\n";
    }
    return lines;
}

}  // namespace

TEST_CASE("what is printed reads back equal, by both readers") {
    Random random;
    for (int round = 0; round < 500; ++round) {
        const ConfigFile file = random_file(random);
        const std::string text = config::print_config(file);
        const config::ConfigReading again = config::read_config(text);
        INFO(text);
        REQUIRE(again.mistakes.empty());
        REQUIRE(again.file == file);
        ConfigFile inside;
        Text<1024> mistake;
        auto keep = [&](const PlannedSite& site) { inside.plan.push_back(site); };
        const bool is_read = config::read_memory_config(text, "m", inside.memory, keep, mistake);
        INFO(std::string(mistake.view()));
        REQUIRE(is_read);
        REQUIRE(inside == file);
    }
}

TEST_CASE("all mistakes of a file are told at once, in its order") {
    CHECK(mistakes_of("[allocator]\narena_sise = 1\nstrategy = 'x'\n[pols]\n[pools]\nblock_sizes = [true, 64]\nenabled = "
                      "1979-05-27\n[[site]]\nmodule = 'zz'\n") ==
          "m:2:1: no key of [allocator] is called 'arena_sise'; did you mean 'arena_size'?\n"
          "m:3:12: strategy cannot be \"x\"; expected the name of an allocator, as in \"heapwright\"\n"
          "m:4:2: no section is called 'pols'; did you mean 'pools'?\n"
          "m:6:16: block_sizes cannot hold true; expected a list of ascending sizes, as in [16, 64, \"1KiB\"], from \"8B\" to \"1MiB\"\n"
          "m:7:11: enabled cannot be of this type; expected true or false\n"
          "m:9:10: module cannot be \"zz\"; expected a build id: hexadecimal digits in quotes\n");
}

TEST_CASE("the kinds of mistake in the shape of a file are told") {
    CHECK(mistakes_of("pools = 1").starts_with("m:1:1: 'pools' is one section; write [pools]"));
    CHECK(mistakes_of("x = 1\n") == "m:1:1: 'x' stands before the first [section]; put it into one\n");
    CHECK(mistakes_of("[x]\n").starts_with("m:1:2: no section is called 'x'; known are "));
    CHECK(mistakes_of("site = [1]").starts_with("m:1:9: site holds something else than tables"));
    CHECK(mistakes_of("[heap]\nlimit = 1 2").starts_with("m:2:11: this is no TOML:"));
    CHECK(mistakes_of("[heap]\nreserve = 1").starts_with("m: heap.reserve is no whole number of GiB"));
    CHECK(mistakes_of("[allocator]\narena_size = \"8MiB\"").starts_with("m: allocator.largest_chunk is less"));
    CHECK(mistakes_of("[[site]]\n").starts_with("m:1:1: a [[site]] has no module"));
}

TEST_CASE("texts that toml++ asserts to be others are no TOML, and nothing worse") {
    CHECK(mistakes_of("[site]\nplace =`\"bump\"").starts_with("m:2:"));
    CHECK(mistakes_of("a = `").starts_with("m:1:"));
    CHECK(mistakes_of("[heap]\nlimit = 1 \xC9\xBA").starts_with("m:2:11: this is no TOML: letters beyond ASCII"));
    CHECK(mistakes_of("[heap]\nlimit = 9'9=\xEF\xB1\xBF").starts_with("m:2:"));  // not in quotes, but for a reader that takes them for such
    CHECK(mistakes_of("# \xC9\xBA\n[monitor]\nsocket = \"\\\"\xC9\xBA\" # \xC9\xBA\njson_file = '\xC9\xBA'\n").empty());
    CHECK(config::read_config("[monitor]\nsocket = \"\"\"\n\xC9\xBA\"\"\"\n").mistakes.empty());
    CHECK(mistakes_of("\xEF\xBB\xBF[monitor]\nsocket = '\xC9\xBA'\n").empty());
}

TEST_CASE("TOML that a program could not read while it starts is a mistake for check, and none for read") {
    const char* const text = "heap.limit = \"4GiB\"\n";
    const config::ConfigReading reading = config::read_config(text);
    CHECK(reading.mistakes.empty());
    CHECK(reading.file.memory.heap.limit_bytes == std::uint64_t{4} << 30);
    CHECK(mistakes_of(text) ==
          "m:1:5: expected '='; write a dotted key as a key of its [section]; it is TOML, but not of the kind that a program reads while "
          "it starts\n");
}

TEST_CASE("a site prints without its defaults") {
    PlannedSite site;
    site.module.size = 2;
    site.returns.values[site.returns.count++] = 0x1a2b;
    site.place = SitePlace::pool;
    CHECK(config::print_site(site) == "\n[[site]]\nmodule = \"0000\"\nreturns = [0x1a2b]\nplace = \"pool\"\n");
}

TEST_CASE("explaining tells each key, its value, its default and who reads it") {
    ConfigFile file;
    file.memory.heap.limit_bytes = 4096;
    const std::string text = config::explain_config(file);
    for (const config::Section& section : config::sections()) {
        CHECK(text.find("[" + std::string(section.name) + "]") != std::string::npos);
        for (const Field& field : section.fields) {
            CHECK(text.find("  " + std::string(field.key) + " = ") != std::string::npos);
        }
    }
    CHECK(text.find("  limit = \"4KiB\"  (default: 0)\n") != std::string::npos);
    CHECK(text.find("[[site]]") != std::string::npos);
}

TEST_CASE("a file that cannot be loaded says why") {
    const auto missing = config::load_config_text("/nowhere/memory.toml");
    REQUIRE(!missing);
    CHECK(missing.error().kind == Errc::not_found);
    CHECK(config::load_config_text("/tmp").error().kind == Errc::invalid_argument);
    CHECK(config::load_config_text("/dev/zero").error().kind == Errc::limit_reached);
}

}  // namespace heapwright::test
