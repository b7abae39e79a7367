#include <heapwright/study/symbols/frame_table.hpp>

#include <doctest/doctest.h>

#include <heapwright/study/symbols/frame.hpp>

namespace heapwright::study {
namespace {

Frame frame(const char* function, std::uint32_t line) {
    return {.function = function, .file = "a.cpp", .line = line, .offset = 0, .module = "app", .inlined = false, .runtime = false};
}

TEST_CASE("equal frames have one number, others have their own") {
    FrameTable table;
    const FrameId first = table.intern(frame("f", 1));
    CHECK(table.intern(frame("f", 1)) == first);
    CHECK(table.intern(frame("f", 2)) != first);
    CHECK(table.intern(frame("g", 1)) != first);
    Frame inlined = frame("f", 1);
    inlined.inlined = true;
    CHECK(table.intern(inlined) != first);
    Frame shifted = frame("f", 1);
    shifted.offset = 8;
    CHECK(table.intern(shifted) != first);
    CHECK(table.all().size() == 5);
    CHECK(table[first].function == "f");
}

TEST_CASE("frames are handed out in the order of their numbers") {
    FrameTable table;
    for (std::uint32_t line = 0; line < 1000; ++line) {
        CHECK(table.intern(frame("f", line)) == static_cast<FrameId>(line));
    }
    const std::vector<Frame> frames = table.take();
    REQUIRE(frames.size() == 1000);
    CHECK(frames[500].line == 500);
    CHECK(table.all().empty());
    CHECK(table.intern(frame("f", 1)) == FrameId{0});
}

}  // namespace
}  // namespace heapwright::study
