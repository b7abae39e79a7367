// The columns of an events chunk: what goes in comes out, whatever it is, and damage never does more than end the stream.
#include <heapwright/trace/event_codec.hpp>

#include <algorithm>
#include <array>
#include <deque>
#include <memory>
#include <random>
#include <vector>

#include <doctest/doctest.h>

#include <tests/support/random.hpp>

using namespace heapwright;
using namespace heapwright::trace;

namespace {

struct Stamped {
    Event event;
    bool stamped;
};

/// An encoder and a decoder with their room.
class Codec {
public:
    Codec() : room_(EventEncoder::kRoomBytes), payload_(EventEncoder::kPayloadBytesMax) { encoder_->use_room(room_); }

    std::vector<std::uint8_t> encode(const std::vector<Stamped>& events, ChunkHeader& header, Tick first_tick = 0) {
        encoder_->begin(first_tick);
        for (const auto& [event, stamped] : events) {
            REQUIRE(!encoder_->is_full());
            if (stamped) {
                encoder_->stamp(event.tick);
            }
            add(event);
            REQUIRE(encoder_->broken_invariant() == nullptr);
        }
        header = {};
        header.items = encoder_->events();
        header.first_tick = encoder_->first_tick();
        header.last_tick = encoder_->last_tick();
        header.thread = events.empty() ? ThreadIndex::process : events.front().event.thread;
        const std::size_t bytes = encoder_->finish(payload_);
        return {payload_.begin(), payload_.begin() + static_cast<std::ptrdiff_t>(bytes)};
    }

    std::vector<Event> decode(const ChunkHeader& header, const std::vector<std::uint8_t>& payload, bool& damaged) {
        std::vector<Event> events;
        Event event;
        if (decoder_->begin(header, payload)) {
            while (decoder_->next(event)) {
                events.push_back(event);
            }
        }
        damaged = decoder_->is_damaged();
        return events;
    }

private:
    static unsigned op_of(const Event& event) {
        return event.kind == EventKind::resize_from ? trace::detail::kOpResizeFrom : static_cast<unsigned>(event.call);
    }

    /// By the short ways where they apply, now and then by the general one.
    void add(const Event& event) {
        const bool plain = event.alignment_log2 == 0 && event.touched == kTouchedUnknown && ++turn_ % 4 != 0;
        if (plain && event.kind == EventKind::allocate) {
            EventEncoder::Burst(*encoder_).add_allocation(op_of(event), event.address, event.size, event.stack);
        } else if (plain && event.kind == EventKind::resize_to && event.old_address == EventEncoder::Burst(*encoder_).departed()) {
            EventEncoder::Burst(*encoder_).add_allocation(op_of(event), event.address, event.size, event.stack);
        } else if (plain && (event.kind == EventKind::release || event.kind == EventKind::resize_from)) {
            EventEncoder::Burst(*encoder_).add_release(op_of(event), event.address, event.size);
        } else {
            encoder_->add(event);
        }
    }

    unsigned turn_ = 0;
    std::unique_ptr<EventEncoder> encoder_ = std::make_unique<EventEncoder>();
    std::unique_ptr<EventDecoder> decoder_ = std::make_unique<EventDecoder>();
    std::vector<std::uint8_t> room_;
    std::vector<std::uint8_t> payload_;
};

void check_same(const Event& read, const Event& written) {
    CHECK(read.kind == written.kind);
    CHECK(read.call == written.call);
    CHECK(read.alignment_log2 == written.alignment_log2);
    CHECK(read.thread == written.thread);
    CHECK(read.stack == written.stack);
    CHECK(read.tick == written.tick);
    CHECK(read.address == written.address);
    CHECK(read.size == written.size);
    CHECK(read.old_address == written.old_address);
    CHECK(read.touched == written.touched);
}

void round_trip(Codec& codec, const std::vector<Stamped>& events, Tick first_tick = 0) {
    ChunkHeader header;
    bool damaged = true;
    const auto payload = codec.encode(events, header, first_tick);
    const auto read = codec.decode(header, payload, damaged);
    REQUIRE(!damaged);
    REQUIRE(read.size() == events.size());
    for (std::size_t at = 0; at < read.size(); ++at) {
        check_same(read[at], events[at].event);
    }
}

/// A program with an allocator that reuses the last freed block of a size, as real ones do.
class Program {
public:
    explicit Program(std::uint64_t seed, bool stacks) : random_(seed), stacks_(stacks) {}

    std::vector<Stamped> run(std::size_t count) {
        std::vector<Stamped> events;
        while (events.size() < count) {
            const auto dice = random_() % 100;
            if (dice < 45 || live_.empty()) {
                allocate(events);
            } else if (dice < 90) {
                release(events);
            } else {
                resize(events);
            }
        }
        events.resize(count);
        if (events.back().event.kind == EventKind::resize_from) {
            events.pop_back();
        }
        return events;
    }

private:
    struct Block {
        std::uint64_t address;
        std::uint64_t size;
    };

    void put(std::vector<Stamped>& events, Event event) {
        const bool stamped = random_() % 3 == 0;
        if (stamped) {
            tick_ += random_() % 5 == 0 ? random_() % 100000 : random_() % 8;
        }
        event.tick = tick_;
        event.thread = ThreadIndex{3};
        events.push_back({event, stamped});
    }
    std::uint64_t place(std::uint64_t size) {
        auto& bin = bins_[(size + 23) / 16 % 64];
        if (!bin.empty()) {
            const std::uint64_t address = bin.back();
            bin.pop_back();
            return address;
        }
        const std::uint64_t address = top_;
        top_ += (size + 23) & ~15ULL;
        return address;
    }
    std::uint64_t size() { return random_() % 20 == 0 ? random_() % 100000 : 8 + random_() % 12 * 24; }
    StackId stack() {
        return stacks_ ? StackId{static_cast<std::uint32_t>(1 + random_() % (random_() % 10 == 0 ? 5000 : 12))} : StackId::none;
    }

    void allocate(std::vector<Stamped>& events) {
        Event event;
        event.size = size();
        event.call = static_cast<Call>(random_() % 6);
        if (event.call == Call::realloc) {
            event.call = Call::malloc;
        }
        event.alignment_log2 = event.call == Call::aligned ? static_cast<std::uint8_t>(random_() % 20) : 0;
        event.kind = EventKind::allocate;
        event.stack = stack();
        event.address = place(event.size);
        live_.push_back({event.address, event.size});
        put(events, event);
    }
    void release(std::vector<Stamped>& events) {
        const std::size_t at = random_() % 3 == 0 ? random_() % live_.size() : live_.size() - 1;
        const Block block = live_[at];
        live_.erase(live_.begin() + static_cast<std::ptrdiff_t>(at));
        Event event;
        event.kind = EventKind::release;
        event.call = static_cast<Call>(6 + random_() % 3);
        event.address = block.address;
        event.size = event.call == Call::free ? 0 : (random_() % 8 == 0 ? block.size + 1 : block.size);
        event.touched = random_() % 16 == 0 ? 4096 * (random_() % 100) : kTouchedUnknown;
        bins_[(block.size + 23) / 16 % 64].push_back(block.address);
        put(events, event);
    }
    void resize(std::vector<Stamped>& events) {
        Event from;
        from.kind = EventKind::resize_from;
        from.call = Call::realloc;
        Event to;
        to.kind = EventKind::resize_to;
        to.call = Call::realloc;
        to.size = size();
        to.stack = stack();
        const auto dice = random_() % 10;
        if (dice != 0) {
            const std::size_t at = random_() % live_.size();
            from.address = live_[at].address;
            to.old_address = from.address;
            put(events, from);
            if (dice == 1) {
                to.address = 0;  // refused
            } else if (dice < 6) {
                to.address = from.address;
                live_[at].size = to.size;
            } else {
                to.address = place(to.size);
                bins_[(live_[at].size + 23) / 16 % 64].push_back(from.address);
                live_[at] = {to.address, to.size};
            }
        } else {
            to.address = place(to.size);
            live_.push_back({to.address, to.size});
        }
        put(events, to);
    }

    std::mt19937_64 random_;
    bool stacks_;
    Tick tick_ = 0;
    std::uint64_t top_ = 0x555555559000;
    std::vector<Block> live_;
    std::deque<std::uint64_t> bins_[64];
};

}  // namespace

TEST_CASE("a simulated program's events come back as they were") {
    Codec codec;
    std::mt19937_64 random(test::seed());
    for (int round = 0; round < 12; ++round) {
        const bool stacks = round % 2 == 0;
        round_trip(codec, Program(random(), stacks).run(1 + random() % EventEncoder::kMaxEvents));
    }
}

TEST_CASE("an empty chunk is a chunk") {
    Codec codec;
    round_trip(codec, {});
}

TEST_CASE("events of any numbers come back, sensible or not") {
    Codec codec;
    std::mt19937_64 random(test::seed());
    const auto number = [&random] {
        const auto dice = random() % 8;
        return dice == 0 ? ~0ULL - random() % 3 : dice == 1 ? random() : dice == 2 ? random() % 4 : 0x7f0000000000 + random() % 64 * 16;
    };
    for (int round = 0; round < 60; ++round) {
        std::vector<Stamped> events;
        Tick tick = random() % 1000;
        const Tick first_tick = tick;
        for (std::size_t at = 0; at < 2000; ++at) {
            Event event;
            event.kind = static_cast<EventKind>(random() % 4);
            event.call = Call::realloc;
            while (event.kind <= EventKind::release && kind_of(event.call) != event.kind) {
                event.call = static_cast<Call>(random() % kCallCount);
            }
            event.thread = ThreadIndex{9};
            event.address = number();
            if (event.kind != EventKind::resize_from) {
                event.size = number();
            }
            if (event.kind == EventKind::allocate || event.kind == EventKind::resize_to) {
                event.stack = StackId{static_cast<std::uint32_t>(random() % 4 == 0 ? random() : random() % 5)};
            }
            if (event.kind == EventKind::resize_to) {
                const bool follows = !events.empty() && events.back().event.kind == EventKind::resize_from;
                event.old_address = follows ? events.back().event.address : random() % 2 == 0 ? number() : 0;
            }
            event.alignment_log2 = static_cast<std::uint8_t>(random() % 5 == 0 ? random() % 64 : 0);
            event.touched = random() % 6 == 0 ? number() : kTouchedUnknown;
            const bool stamped = random() % 2 == 0;
            if (stamped) {
                tick += random() % 64 == 0 ? random() >> 8 : random() % 300;
            }
            event.tick = tick;
            events.push_back({event, stamped});
        }
        round_trip(codec, events, first_tick);
    }
}

TEST_CASE("a malloc and free loop costs one byte an event and a few for the rest") {
    Codec codec;
    std::vector<Stamped> events;
    for (int at = 0; at < 10000; ++at) {
        Event event;
        event.address = 0x5555000010;
        event.size = 24;
        event.stack = StackId{4};
        events.push_back({event, false});
        event = {};
        event.kind = EventKind::release;
        event.call = Call::free;
        event.address = 0x5555000010;
        events.push_back({event, false});
    }
    ChunkHeader header;
    CHECK(codec.encode(events, header).size() < 20000 + 64);
}

TEST_CASE("a cut or changed payload ends the stream and is called damaged, or still reads") {
    Codec codec;
    std::mt19937_64 random(test::seed());
    const auto events = Program(random(), true).run(3000);
    ChunkHeader header;
    const auto payload = codec.encode(events, header);
    for (int round = 0; round < 3000; ++round) {
        auto bytes = payload;
        if (round % 3 == 0) {
            bytes.resize(random() % bytes.size());
        } else {
            for (std::size_t changes = 1 + random() % 4; changes > 0; --changes) {
                bytes[random() % (round % 2 == 0 ? bytes.size() : 40)] = static_cast<std::uint8_t>(random());
            }
        }
        bool damaged = false;
        const auto read = codec.decode(header, bytes, damaged);
        CHECK(read.size() <= header.items);
        if (round % 3 == 0) {
            CHECK(damaged);
        }
        if (!damaged) {
            CHECK(read.size() == header.items);
        }
    }
}

TEST_CASE("random bytes are survived") {
    Codec codec;
    std::mt19937_64 random(test::seed());
    for (int round = 0; round < 2000; ++round) {
        std::vector<std::uint8_t> bytes(28 + random() % 600);
        for (auto& byte : bytes) {
            byte = static_cast<std::uint8_t>(random() % (round % 3 == 0 ? 256 : 130));
        }
        // Lengths that add up, so that the columns themselves are reached.
        std::uint32_t rest = static_cast<std::uint32_t>(bytes.size()) - 28;
        ChunkHeader header{};
        for (std::size_t column = 0; column < trace::detail::kColumns; ++column) {
            const std::uint32_t part = column + 1 == trace::detail::kColumns ? rest : static_cast<std::uint32_t>(random() % (rest + 1));
            for (unsigned at = 0; at < 4; ++at) {
                bytes[column * 4 + at] = static_cast<std::uint8_t>(part >> 8 * at);
            }
            if (column == 0) {
                header.items = part;
            }
            rest -= part;
        }
        bool damaged = false;
        CHECK(codec.decode(header, bytes, damaged).size() <= header.items);
    }
}

TEST_CASE("a number is written to a column as put_varint() writes it") {
    for (unsigned bits = 0; bits < 64; ++bits) {
        for (const std::uint64_t number : {(std::uint64_t{1} << bits) - 1, std::uint64_t{1} << bits, (std::uint64_t{3} << bits) / 2}) {
            CAPTURE(number);
            std::array<std::uint8_t, 16> expected{};
            const std::uint8_t* const end = put_varint(expected.data(), number);
            const auto check = [&](auto put) {
                std::array<std::uint8_t, 16> written{};
                std::uint8_t* cursor = written.data();
                put(cursor);
                REQUIRE(cursor - written.data() == end - expected.data());
                CHECK(std::equal(written.data(), cursor, expected.data()));
            };
            check([&](std::uint8_t*& cursor) { trace::detail::put_number(cursor, number); });
            check([&](std::uint8_t*& cursor) { trace::detail::put_small_number(cursor, number); });
            if (number < 1U << 14) {
                check([&](std::uint8_t*& cursor) { trace::detail::put_short_number(cursor, static_cast<std::uint32_t>(number)); });
            }
        }
    }
}
