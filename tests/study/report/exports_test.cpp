#include <heapwright/study/report/exports.hpp>

#include <algorithm>
#include <map>
#include <numeric>
#include <vector>

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <protozero/pbf_message.hpp>
#include <zlib.h>

#include <tests/study/report/sample_findings.hpp>

namespace heapwright::study {
namespace {

using Json = nlohmann::json;

std::string unpacked(const std::string& packed) {
    z_stream z{};
    REQUIRE(inflateInit2(&z, 15 + 16) == Z_OK);
    std::string input = packed;
    std::string text;
    std::vector<char> room(1 << 16);
    z.next_in = reinterpret_cast<Bytef*>(input.data());
    z.avail_in = static_cast<uInt>(input.size());
    int status = Z_OK;
    while (status == Z_OK) {
        z.next_out = reinterpret_cast<Bytef*>(room.data());
        z.avail_out = static_cast<uInt>(room.size());
        status = inflate(&z, Z_NO_FLUSH);
        text.append(room.data(), room.size() - z.avail_out);
    }
    CHECK(status == Z_STREAM_END);
    inflateEnd(&z);
    return text;
}

/// profile.proto as its specification reads, decoded without the writer's help.
struct Profile {
    struct Sample {
        std::vector<std::uint64_t> locations;
        std::vector<std::int64_t> values;
    };
    struct Location {
        std::uint64_t mapping = 0;
        std::vector<std::pair<std::uint64_t, std::int64_t>> lines;
    };
    std::vector<std::string> strings;
    std::vector<std::pair<std::int64_t, std::int64_t>> types;
    std::vector<Sample> samples;
    std::map<std::uint64_t, Location> locations;
    std::map<std::uint64_t, std::int64_t> functions;  // name
    std::map<std::uint64_t, std::int64_t> mappings;   // file name
    std::int64_t default_type = 0;
    std::int64_t duration = 0;

    std::string text(std::int64_t index) const { return strings.at(static_cast<std::size_t>(index)); }
};

Profile::Sample decode_sample(protozero::pbf_reader in) {
    Profile::Sample sample;
    while (in.next()) {
        if (in.tag() == 1) {
            const auto range = in.get_packed_uint64();
            sample.locations.assign(range.begin(), range.end());
        } else if (in.tag() == 2) {
            const auto range = in.get_packed_int64();
            sample.values.assign(range.begin(), range.end());
        } else {
            in.skip();
        }
    }
    return sample;
}

std::pair<std::uint64_t, Profile::Location> decode_location(protozero::pbf_reader in) {
    std::pair<std::uint64_t, Profile::Location> location{0, {}};
    while (in.next()) {
        if (in.tag() == 1) {
            location.first = in.get_uint64();
        } else if (in.tag() == 2) {
            location.second.mapping = in.get_uint64();
        } else if (in.tag() == 4) {
            protozero::pbf_reader line = in.get_message();
            std::pair<std::uint64_t, std::int64_t> decoded{0, 0};
            while (line.next()) {
                if (line.tag() == 1) {
                    decoded.first = line.get_uint64();
                } else {
                    decoded.second = line.get_int64();
                }
            }
            location.second.lines.push_back(decoded);
        } else {
            in.skip();
        }
    }
    return location;
}

// Messages whose first field is an id and of which one text field matters.
std::pair<std::uint64_t, std::int64_t> decode_named(protozero::pbf_reader in, protozero::pbf_tag_type name) {
    std::pair<std::uint64_t, std::int64_t> result{0, 0};
    while (in.next()) {
        if (in.tag() == 1) {
            result.first = in.get_uint64();
        } else if (in.tag() == name) {
            result.second = in.get_int64();
        } else {
            in.skip();
        }
    }
    return result;
}

Profile decode(const std::string& bytes) {
    Profile profile;
    protozero::pbf_reader in(bytes);
    while (in.next()) {
        switch (in.tag()) {
            case 1: {
                protozero::pbf_reader type = in.get_message();
                std::pair<std::int64_t, std::int64_t> decoded{0, 0};
                while (type.next()) {
                    (type.tag() == 1 ? decoded.first : decoded.second) = type.get_int64();
                }
                profile.types.push_back(decoded);
                break;
            }
            case 2: profile.samples.push_back(decode_sample(in.get_message())); break;
            case 3: profile.mappings.insert(decode_named(in.get_message(), 5)); break;
            case 4: profile.locations.insert(decode_location(in.get_message())); break;
            case 5: profile.functions.insert(decode_named(in.get_message(), 2)); break;
            case 6: profile.strings.push_back(in.get_string()); break;
            case 10: profile.duration = in.get_int64(); break;
            case 14: profile.default_type = in.get_int64(); break;
            default: in.skip();
        }
    }
    return profile;
}

TEST_CASE("a pprof profile decodes to the findings' stacks and numbers") {
    const Findings findings = test::sample_findings();
    const Profile profile = decode(unpacked(pprof_profile(findings)));
    REQUIRE(!profile.strings.empty());
    CHECK(profile.strings[0].empty());
    std::vector<std::string> types;
    for (const auto& [type, unit] : profile.types) {
        types.push_back(profile.text(type) + "/" + profile.text(unit));
    }
    CHECK(types == std::vector<std::string>{"alloc_objects/count", "alloc_space/bytes", "inuse_objects/count", "inuse_space/bytes",
                                            "leaked_space/bytes", "pinned_space/bytes", "pinned_free_space/bytes"});
    CHECK(profile.text(profile.default_type) == "inuse_space");
    CHECK(profile.duration == 10'000'000'000);
    REQUIRE(profile.samples.size() == findings.sites.size());
    CHECK(profile.samples[0].values == std::vector<std::int64_t>{10'000, 480'000, 8'000, 384'000, 24'000, 400'000, 120'000});

    // The third stack has an inlined function: it shares its location with the function that holds it.
    REQUIRE(profile.samples[2].locations.size() == 5);
    const Profile::Location& location = profile.locations.at(profile.samples[2].locations[1]);
    REQUIRE(location.lines.size() == 2);
    CHECK(profile.text(profile.functions.at(location.lines[0].first)).find("_M_realloc_insert") != std::string::npos);
    CHECK(location.lines[0].second == 440);
    CHECK(profile.text(profile.functions.at(location.lines[1].first)) == "Buffer::append(char)");
    CHECK(location.lines[1].second == 33);
    CHECK(profile.text(profile.mappings.at(location.mapping)) == "server");
}

TEST_CASE("every reference in a pprof profile leads somewhere") {
    const Profile profile = decode(unpacked(pprof_profile(test::sample_findings())));
    for (const Profile::Sample& sample : profile.samples) {
        CHECK(sample.values.size() == profile.types.size());
        for (const std::uint64_t id : sample.locations) {
            CHECK(profile.locations.contains(id));
        }
    }
    for (const auto& [id, location] : profile.locations) {
        CHECK(id != 0);
        CHECK(profile.mappings.contains(location.mapping));
        for (const auto& [function, line] : location.lines) {
            CHECK(profile.functions.contains(function));
        }
    }
}

TEST_CASE("the same findings give the same bytes") {
    CHECK(pprof_profile(test::sample_findings()) == pprof_profile(test::sample_findings()));
}

TEST_CASE("collapsed stacks list each stack once, outermost function first") {
    const Findings findings = test::sample_findings();
    const std::string text = collapsed_stacks(findings, Weight::peak);
    INFO(text);
    CHECK(text.find("__libc_start_main;main;Server::serve(Request const&);Session::open(std::string const&);operator new(unsigned long) "
                    "384000\n") != std::string::npos);
    CHECK(std::count(text.begin(), text.end(), '\n') == 4);
    CHECK(collapsed_stacks(findings, Weight::leaked).find("Session::open") != std::string::npos);
    CHECK(collapsed_stacks(findings, Weight::leaked).find("parse") == std::string::npos);
    CHECK(collapsed_stacks(Findings{}, Weight::peak).empty());
}

TEST_CASE("collapsed stacks add up to the weight's total and keep their separators to themselves") {
    test::FindingsBuilder builder;
    const FrameId odd = builder.frame("odd;name\nwith lines", "", 0);
    const FrameId hidden = builder.frame("0x1f20", "", 0, "libx.so.1");
    builder.site({odd}, 8, 2);
    builder.site({hidden, odd}, 8, 3);
    builder.site({}, 8, 5);
    const std::string text = collapsed_stacks(builder.build(), Weight::allocations);
    CHECK(text == "(no stack) 5\nodd:name with lines 2\nodd:name with lines;0x1f20 [libx.so.1] 3\n");
}

TEST_CASE("a speedscope file keeps to its documented fields") {
    const Findings findings = test::sample_findings();
    const Json json = Json::parse(speedscope_profile(findings));
    CHECK(json["$schema"] == "https://www.speedscope.app/file-format-schema.json");
    CHECK(json["name"] == "server");
    CHECK(json["exporter"] == "heapwright");
    CHECK(json["activeProfileIndex"] == 0);
    const std::size_t frames = json["shared"]["frames"].size();
    CHECK(frames == findings.frames.size());
    for (const Json& frame : json["shared"]["frames"]) {
        CHECK(frame["name"].is_string());
    }
    REQUIRE(json["profiles"].size() == kWeightCount);
    for (std::size_t i = 0; i < kWeightCount; ++i) {
        const Json& profile = json["profiles"][i];
        CHECK(profile["type"] == "sampled");
        CHECK(profile["name"] == name_of(kWeights[i]));
        CHECK(profile["unit"] == (is_bytes(kWeights[i]) ? "bytes" : "none"));
        CHECK(profile["startValue"] == 0);
        REQUIRE(profile["samples"].size() == profile["weights"].size());
        std::uint64_t sum = 0;
        for (const Json& weight : profile["weights"]) {
            sum += weight.get<std::uint64_t>();
        }
        CHECK(profile["endValue"] == sum);
        for (const Json& sample : profile["samples"]) {
            for (const Json& frame : sample) {
                CHECK(frame < frames);
            }
        }
    }
    CHECK(json["profiles"][0]["samples"][0].front() == 0);  // __libc_start_main is outermost
}

TEST_CASE("a Perfetto trace has one counter track for each curve, in microseconds") {
    const Findings findings = test::sample_findings();
    const Json json = Json::parse(perfetto_trace(findings));
    std::map<std::string, std::size_t> tracks;
    double last = -1;
    for (const Json& event : json["traceEvents"]) {
        CHECK(event["pid"] == 1);
        CHECK(event["ts"].is_number());
        if (event["ph"] == "C") {
            ++tracks[event["name"]];
            CHECK(event["args"].size() == 1);
            CHECK(event["ts"].get<double>() >= last);
            last = event["ts"];
        }
    }
    CHECK(tracks["live requested"] == 100);
    CHECK(tracks["live usable"] == 100);
    CHECK(tracks["pages in use"] == 100);
    CHECK(tracks["resident (RSS)"] == 9);  // ten were sampled, the first of them at nothing
    CHECK(tracks["fragmentation"] == 100);
    CHECK(json["traceEvents"].back()["ph"] == "i");
    CHECK(json["traceEvents"].back()["ts"] == 6'000'000.0);
    CHECK(json["traceEvents"][0]["args"]["name"] == "server");
}

TEST_CASE("formats are found by their names") {
    for (const ExportFormat format : kExportFormats) {
        CHECK(export_format_of(name_of(format)) == format);
        CHECK(suffix_of(format).starts_with('.'));
        CHECK_FALSE(exported(test::sample_findings(), format).empty());
    }
    CHECK_FALSE(export_format_of("xml").has_value());
    CHECK(Json::parse(exported(test::sample_findings(), ExportFormat::json))["schema"] == 1);
    for (const Weight weight : kWeights) {
        CHECK(weight_of(name_of(weight)) == weight);
    }
    CHECK_FALSE(weight_of("pinned").has_value());
}

}  // namespace
}  // namespace heapwright::study
