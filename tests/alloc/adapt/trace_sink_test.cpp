// What a tracked allocator does, read back from the payloads of a trace.
#include <heapwright/alloc/adapt/trace_sink.hpp>

#include <memory>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/adapt/tracked.hpp>
#include <heapwright/alloc/tlsf/tlsf.hpp>
#include <heapwright/os/report.hpp>
#include <heapwright/trace/chunk.hpp>
#include <heapwright/trace/event_decoder.hpp>

#include <tests/support/death.hpp>
#include <tests/support/failing_source.hpp>
#include <tests/support/random.hpp>

namespace heapwright {
namespace {

struct Event {
    trace::EventKind kind;
    std::uint64_t address;
    std::uint64_t size;
    friend bool operator==(const Event&, const Event&) = default;
};

struct Reader {
    std::vector<Event> events;
    std::size_t payloads = 0;
    trace::Tick last_tick = 0;
    bool is_sound = true;

    static void take(void* context, const TraceSink::Payload& payload) noexcept {
        auto& self = *static_cast<Reader*>(context);
        ++self.payloads;
        trace::ChunkHeader header{};
        header.items = payload.events;
        header.first_tick = payload.first_tick;
        header.last_tick = payload.last_tick;
        const auto decoder = std::make_unique<trace::EventDecoder>();
        self.is_sound = self.is_sound && decoder->begin(header, payload.bytes) && payload.first_tick >= self.last_tick;
        for (trace::Event event; decoder->next(event);) {
            self.events.push_back({event.kind, event.address, event.size});
            self.is_sound = self.is_sound && event.tick >= self.last_tick;
            self.last_tick = event.tick;
        }
        self.is_sound = self.is_sound && !decoder->is_damaged();
    }
};

TEST_CASE("every allocation and release is in the payloads, in order and with its time") {
    test::FailingSource source;
    Reader reader;
    std::vector<Event> expected;
    {
        std::vector<std::uint8_t> room(TraceSink::kRoomBytes);
        const auto sink = std::make_unique<TraceSink>(room, &Reader::take, &reader);
        Tlsf heap{source};
        Tracked tracked{heap, *sink};
        test::Random random{41};
        std::vector<std::pair<void*, Layout>> live;
        for (int step = 0; step < 50'000; ++step) {
            if (live.size() < 10 || (live.size() < 500 && random.one_in(2))) {
                const Layout layout{.size = random.below(300), .alignment = std::size_t{1} << random.below(8)};
                void* const block = tracked.try_allocate(layout);
                live.emplace_back(block, layout);
                expected.push_back({trace::EventKind::allocate, reinterpret_cast<std::uintptr_t>(block), layout.size});
            } else {
                std::swap(live[random.below(live.size())], live.back());
                const auto [block, layout] = live.back();
                live.pop_back();
                tracked.deallocate(block, layout);
                expected.push_back({trace::EventKind::release, reinterpret_cast<std::uintptr_t>(block), 0});
            }
        }
    }
    CHECK(reader.payloads == 2);  // the second one when the sink ended
    CHECK(reader.is_sound);
    REQUIRE(reader.events.size() == expected.size());
    for (std::size_t index = 0; index < expected.size(); ++index) {
        if (expected[index].kind == trace::EventKind::release) {
            reader.events[index].size = 0;  // the decoder may know it from the allocation
        }
    }
    CHECK(reader.events == expected);
}

TEST_CASE("a sink without enough room is refused") {
    os::report_failures_to_stderr();
    const auto death = test::death_of([] {
        std::vector<std::uint8_t> room(100);
        Reader reader;
        const auto sink = std::make_unique<TraceSink>(room, &Reader::take, &reader);
    });
    CHECK(test::said(death, "heapwright: a trace sink needs TraceSink::kRoomBytes of room"));
}

}  // namespace
}  // namespace heapwright
