// Feeds any bytes to the decoders of payloads. What the events decoder accepts must survive encoding and decoding again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include <heapwright/trace/event_codec.hpp>
#include <heapwright/trace/records.hpp>

namespace {

using namespace heapwright::trace;

bool are_same(const Event& a, const Event& b) {
    return a.kind == b.kind && a.call == b.call && a.alignment_log2 == b.alignment_log2 && a.stack == b.stack && a.address == b.address &&
           a.size == b.size && a.old_address == b.old_address && a.touched == b.touched && a.tick == b.tick;
}

template <class Reader, class Record>
void drain(std::span<const std::uint8_t> bytes) {
    Reader reader(bytes);
    Record record{};
    while (reader.next(record)) {}
}

void drain_records(std::span<const std::uint8_t> bytes) {
    drain<StackReader, StackNode>(bytes);
    drain<ModuleReader, Module>(bytes);
    drain<SampleReader, Sample>(bytes);
    drain<MappingReader, NamedMapping>(bytes);
    drain<UsableReader, UsableSize>(bytes);
    drain<ThreadReader, ThreadRecord>(bytes);
    TextReader text(bytes);
    std::string_view key;
    std::string_view value;
    std::vector<char> room;
    while (text.next(key, value)) {
        room.resize(value.size());
        static_cast<void>(unescape(value, room.data()));
    }
}

std::vector<Event> decode(const ChunkHeader& header, std::span<const std::uint8_t> payload) {
    static const auto decoder = std::make_unique<EventDecoder>();
    std::vector<Event> events;
    Event event;
    if (decoder->begin(header, payload)) {
        while (decoder->next(event)) {
            events.push_back(event);
        }
    }
    return events;
}

void check_round_trip(const std::vector<Event>& events) {
    static std::vector<std::uint8_t> room(EventEncoder::kRoomBytes);
    static std::vector<std::uint8_t> payload(EventEncoder::kPayloadBytesMax);
    static const auto encoder = std::make_unique<EventEncoder>();
    encoder->use_room(room);
    encoder->begin(0);
    for (const Event& event : events) {
        if (encoder->is_full()) {
            break;
        }
        encoder->add(event, true);
    }
    if (encoder->broken_invariant() != nullptr) {
        std::abort();
    }
    ChunkHeader header{};
    header.items = encoder->events();
    const std::vector<Event> again = decode(header, {payload.data(), encoder->finish(payload)});
    if (again.size() != encoder->events()) {
        std::abort();
    }
    std::uint64_t tick = 0;
    for (std::size_t at = 0; at < again.size(); ++at) {
        Event expected = events[at];
        tick = expected.tick > tick ? expected.tick : tick;  // the encoder does not go back in time
        expected.tick = tick;
        if (!are_same(again[at], expected)) {
            std::abort();
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 8) {
        return 0;
    }
    drain_records({data, size});
    // The first bytes divide the rest into columns, so that the lengths always add up and the columns are reached.
    std::vector<std::uint8_t> payload(detail::kColumnTableBytes);
    std::size_t rest = size - 8;
    ChunkHeader header{};
    for (std::size_t column = 0; column < detail::kColumns; ++column) {
        const bool last = column + 1 == detail::kColumns;
        const auto bytes = static_cast<std::uint32_t>(last ? rest : rest * data[column] / 256);
        std::memcpy(payload.data() + column * sizeof(bytes), &bytes, sizeof(bytes));
        header.items = column == 0 ? bytes : header.items;
        rest -= bytes;
    }
    payload.insert(payload.end(), data + 8, data + size);
    check_round_trip(decode(header, payload));
    return 0;
}
