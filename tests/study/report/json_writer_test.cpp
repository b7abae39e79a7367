#include <heapwright/study/report/json_writer.hpp>

#include <cmath>
#include <limits>

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include <tests/support/death.hpp>
#include <tests/support/random.hpp>

namespace heapwright::study {
namespace {

template <class Act>
std::string written(Act act, std::size_t line_depth = 0) {
    std::string text;
    JsonWriter json([&](std::string_view piece) { text += piece; }, line_depth);
    act(json);
    json.finish();
    return text;
}

TEST_CASE("objects and arrays nest and separate their items") {
    const std::string text = written([](JsonWriter& json) {
        json.begin_object();
        json.member("a", 1);
        json.key("b");
        json.begin_array();
        json.value(-2);
        json.value(true);
        json.value("x");
        json.begin_object();
        json.end_object();
        json.end_array();
        json.end_object();
    });
    CHECK(text == "{\"a\":1,\"b\":[-2,true,\"x\",{}]}\n");
}

TEST_CASE("line depth puts the outer members on lines of their own") {
    const std::string text = written(
        [](JsonWriter& json) {
            json.begin_object();
            json.key("a");
            json.begin_array();
            json.values(std::vector<int>{1, 2});
            json.end_array();
            json.end_object();
        },
        2);
    CHECK(text == "{\n\"a\":[\n[1,2]\n]\n}\n");
}

TEST_CASE("numbers keep all their digits, and what JSON has no word for is 0") {
    const std::string text = written([](JsonWriter& json) {
        json.begin_array();
        json.value(std::numeric_limits<std::uint64_t>::max());
        json.value(std::numeric_limits<std::int64_t>::min());
        json.value(0.1);
        json.value(std::nan(""));
        json.value(HUGE_VAL);
        json.end_array();
    });
    CHECK(text == "[18446744073709551615,-9223372036854775808,0.1,0,0]\n");
}

TEST_CASE("any bytes become a text that parses") {
    heapwright::test::Random random(7);
    for (int round = 0; round < 300; ++round) {
        std::string bytes;
        for (std::uint64_t left = random.below(40); left > 0; --left) {
            bytes += static_cast<char>(random.one_in(3) ? random.below(0x80) : random.below(0x100));
        }
        const std::string text = written([&](JsonWriter& json) {
            json.begin_object();
            json.member(bytes, bytes);
            json.end_object();
        });
        const auto parsed = nlohmann::json::parse(text, nullptr, false);
        REQUIRE_FALSE(parsed.is_discarded());
    }
}

TEST_CASE("well-formed UTF-8 survives and damaged bytes become U+FFFD") {
    const auto round_trip = [](const std::string& bytes) {
        return nlohmann::json::parse(written([&](JsonWriter& json) { json.value(bytes); })).get<std::string>();
    };
    CHECK(round_trip("größe 漢字 🙂 \"\\\n\t\x01") == "größe 漢字 🙂 \"\\\n\t\x01");
    CHECK(round_trip("\xff") == "\ufffd");
    CHECK(round_trip("a\xc0\x80z") == "a\ufffd\ufffdz");        // overlong
    CHECK(round_trip("\xed\xa0\x80") == "\ufffd\ufffd\ufffd");  // a surrogate
    CHECK(round_trip("\xe6\xbc") == "\ufffd\ufffd");            // cut off
}

TEST_CASE("bytes travel as base64 with padding") {
    const auto coded = [](std::string_view text) { return base64_text({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}); };
    CHECK(coded("").empty());
    CHECK(coded("M") == "TQ==");
    CHECK(coded("Ma") == "TWE=");
    CHECK(coded("Man") == "TWFu");
    CHECK(coded("\xff\xff\xff\xfe") == "/////g==");
}

TEST_CASE("a large document arrives in order and whole") {
    std::string text;
    std::size_t pieces = 0;
    JsonWriter json([&](std::string_view piece) {
        text += piece;
        ++pieces;
    });
    json.begin_array();
    for (int i = 0; i < 100'000; ++i) {
        json.value(i);
    }
    json.end_array();
    json.finish();
    CHECK(pieces > 2);
    CHECK(nlohmann::json::parse(text).size() == 100'000);
}

TEST_CASE("a value without a key and a document cut short are caller's mistakes") {
    const auto no_key = heapwright::test::death_of([] {
        written([](JsonWriter& json) {
            json.begin_object();
            json.value(1);
        });
    });
    CHECK(no_key.died);
    const auto open_end = heapwright::test::death_of([] { written([](JsonWriter& json) { json.begin_array(); }); });
    CHECK(open_end.died);
}

}  // namespace
}  // namespace heapwright::study
