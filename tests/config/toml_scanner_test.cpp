#include <heapwright/config/toml_scanner.hpp>

#include <string>

#include <doctest/doctest.h>

#include <tests/support/random.hpp>

namespace heapwright::test {

namespace {

using config::ScalarKind;
using config::TomlPiece;

void append_scalar(std::string& told, const config::Scalar& scalar) {
    switch (scalar.kind) {
        case ScalarKind::text: told += "'" + std::string(scalar.text) + "'"; break;
        case ScalarKind::integer: told += std::to_string(scalar.integer); break;
        case ScalarKind::fraction: told += std::to_string(scalar.fraction); break;
        case ScalarKind::flag: told += scalar.flag ? "yes" : "no"; break;
    }
}

/// The pieces of a text as one line.
std::string tell(std::string_view text) {
    config::TomlScanner scanner(text);
    std::string told;
    while (true) {
        const TomlPiece piece = scanner.next();
        REQUIRE(scanner.broken_invariant() == nullptr);
        const std::string key(scanner.key());
        switch (piece) {
            case TomlPiece::table: told += "[" + key + "] "; break;
            case TomlPiece::element: told += "[[" + key + "]] "; break;
            case TomlPiece::value:
                told += key + "=";
                append_scalar(told, scanner.scalar());
                told += " ";
                break;
            case TomlPiece::array_begin: told += key + "=("; break;
            case TomlPiece::array_value:
                append_scalar(told, scanner.scalar());
                told += ",";
                break;
            case TomlPiece::array_end: told += ") "; break;
            case TomlPiece::end: return told;
            case TomlPiece::refused: {
                const config::TextPlace place = scanner.place_of(scanner.value_offset());
                REQUIRE(scanner.next() == TomlPiece::refused);
                return told + std::to_string(place.line) + ":" + std::to_string(place.column) + " " + std::string(scanner.why());
            }
        }
    }
}

}  // namespace

TEST_CASE("tables, elements, keys and every kind of value are understood") {
    CHECK(tell("") == "");
    CHECK(tell("# only a comment") == "");
    CHECK(tell("\xEF\xBB\xBF[a]\r\nb = 1\r\n") == "[a] b=1 ");
    CHECK(tell("[ a ] # why\n[[b]]\n") == "[a] [[b]] ");
    CHECK(tell("a=true\nb = false # no\nc=-12\nd=1_000\ne=0xFF_0a\nf=0.25\ng=-1.5\nh=+3\ni=0") ==
          "a=yes b=no c=-12 d=1000 e=65290 f=0.250000 g=-1.500000 h=3 i=0 ");
    CHECK(tell("a = \"x\\t\\\"\\\\\\u00e9\\U0001F600\"\nb = 'c:\\d'\nc = \"\"\nd = ''") ==
          "a='x\t\"\\\xC3\xA9\xF0\x9F\x98\x80' b='c:\\d' c='' d='' ");
    CHECK(tell("a = [1, 'x', # one\n \"y\" ,\n]\nb = []\nc=[ ]") == "a=(1,'x','y',) b=() c=() ");
    CHECK(tell("a = 9223372036854775807\nb = -9223372036854775808") == "a=9223372036854775807 b=-9223372036854775808 ");
}

TEST_CASE("what it does not understand is refused with a place and a sentence") {
    CHECK(tell("\"a\" = 1") == "1:1 expected a key without quotes");
    CHECK(tell("a.b = 1") == "1:2 expected '='; write a dotted key as a key of its [section]");
    CHECK(tell("[a.b]") == "1:3 expected the name of a section, without a dot");
    CHECK(tell("a = 1 b = 2") == "1:7 expected the end of the line");
    CHECK(tell("a = {b = 1}") == "1:5 expected a \"text\", a number, true, false or an [array]");
    CHECK(tell("a = \"\"\"x\"\"\"") == "1:7 expected a text on one line");
    CHECK(tell("a = '''x'''") == "1:7 expected a text on one line");
    CHECK(tell("\na = \"x\n\"") == "2:7 expected the closing \" on the same line");
    CHECK(tell("a = 'x") == "1:7 expected the closing ' on the same line");
    CHECK(tell("a = 1979-05-27") == "1:5 expected a number; put values with a unit in quotes, as in \"64KiB\"");
    CHECK(tell("a = 64KiB") == "1:5 expected a number; put values with a unit in quotes, as in \"64KiB\"");
    CHECK(tell("a = 1e3") == "1:5 expected a number; put values with a unit in quotes, as in \"64KiB\"");
    CHECK(tell("a = 012") == "1:5 expected a number without leading zeros");
    CHECK(tell("a = 9223372036854775808") == "1:5 expected a number of at most 63 bits");
    CHECK(tell("a = 0.1234567890123456") == "1:7 expected at most 15 digits");
    CHECK(tell("a = [1, [2]]") == "a=(1,1:9 expected a value, not an array in an array");
    CHECK(tell("a = [1 2]") == "a=(1:8 expected ',' or ']'");
    CHECK(tell("a = [1,") == "a=(1,1:8 the array has no end; expected ']'");
    CHECK(tell("a = [,]") == "a=(1:6 expected a \"text\", a number, true, false or an [array]");
    CHECK(tell("a = trueish") == "1:5 expected a \"text\", a number, true, false or an [array]");
    CHECK(tell("a = \"\\x\"") == "1:7 expected b, t, n, f, r, u, \" or \\ after a backslash");
    CHECK(tell("a = \"\\uD800\"") == "1:12 expected a character of Unicode, and a shorter text");
    CHECK(tell("a =\n") == "1:4 expected a \"text\", a number, true, false or an [array]");
    CHECK(tell("=1") == "1:1 expected a key");
    CHECK(tell("[a\n") == "1:3 expected ']'");
    CHECK(tell("[[a]\n") == "1:4 expected ']]'");
    CHECK(tell("# \x01\n") == "1:3 a control character is not allowed in a comment");
    CHECK(tell(std::string("a\0b = 1", 7)) == "1:2 expected '='");
    CHECK(tell("a = 1_\n") == "1:5 expected a number; put values with a unit in quotes, as in \"64KiB\"");
}

TEST_CASE("columns count letters, not bytes") { CHECK(tell("a = '\xC3\xA9' x") == "1:9 expected the end of the line"); }

TEST_CASE("no text, whole or cut or damaged, leads out of it") {
    const std::string sound =
        "[allocator] # c\nsettings = [\"a=\\u0041\", 'b']\n[[site]]\nreturns = [0x1f, 2]\nx = 0.5\ny = -7\nz = true\n";
    for (std::size_t length = 0; length <= sound.size(); ++length) {
        static_cast<void>(tell(sound.substr(0, length)));
    }
    Random random;
    for (int round = 0; round < 20'000; ++round) {
        std::string damaged = sound;
        for (std::uint64_t changes = random.between(1, 4); changes > 0; --changes) {
            damaged[random.below(damaged.size())] =
                random.one_in(2) ? static_cast<char>(random.next()) : "[]=\"'\\#\n.,_0x"[random.below(13)];
        }
        static_cast<void>(tell(damaged));
    }
}

}  // namespace heapwright::test
