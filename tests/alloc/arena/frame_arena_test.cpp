// Arenas that take turns.
#include <heapwright/alloc/arena/frame_arena.hpp>

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/os/page_source.hpp>
#include <heapwright/os/report.hpp>

#include <tests/support/death.hpp>
#include <tests/support/failing_source.hpp>

namespace heapwright {
namespace {

TEST_CASE("a frame's objects live through the next frame and die with the one after") {
    test::FailingSource source;
    FrameArena frames{source};
    static std::vector<std::string> deaths;
    struct Named {
        std::string name;
        explicit Named(std::string own_name) : name(std::move(own_name)) {}
        Named(const Named&) = delete;
        Named& operator=(const Named&) = delete;
        ~Named() { deaths.push_back(name); }
    };
    frames.now().create<Named>("first");
    frames.next_frame();
    CHECK(deaths.empty());
    frames.now().create<Named>("second");
    frames.next_frame();
    CHECK(deaths == std::vector<std::string>{"first"});
    frames.next_frame();
    CHECK(deaths == std::vector<std::string>{"first", "second"});
    CHECK(frames.frame() == 3);
}

TEST_CASE("steady frames ask the source for nothing") {
    test::FailingSource source;
    FrameArena<3> frames{source};
    std::size_t requests = 0;
    for (int frame = 0; frame < 100; ++frame) {
        frames.next_frame();
        for (int object = 0; object < 1000; ++object) {
            REQUIRE(frames.now().try_allocate({.size = 100, .alignment = 8}) != nullptr);
        }
        if (frame == 10) {
            requests = source.requests();
        }
    }
    CHECK(source.requests() == requests);
    CHECK(frames.trim() == 0);  // every frame needed all of it
}

TEST_CASE("a frame reference knows when its object is gone") {
    test::FailingSource source;
    FrameArena frames{source};
    const auto object = frames.create<int>(7);
    frames.next_frame();
    CHECK(*object == 7);
    frames.next_frame();
    CHECK_FALSE(object.is_alive());
    os::report_failures_to_stderr();
    const auto death = test::death_of([] {
        FrameArena own{os::kPages};
        const auto old = own.create<int>(7);
        own.next_frame();
        own.next_frame();
        *old = 8;
    });
    CHECK(test::said(death, "heapwright: a frame's object was used after its frame: copy what must live longer"));
}

}  // namespace
}  // namespace heapwright
