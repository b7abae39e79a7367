// Reads a trace and prints what a test wants to know of it, as "key value" lines: texts, counts, and how the events fit
// together when all threads are merged into one order.
#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include <heapwright/trace/event_codec.hpp>
#include <heapwright/trace/read/metadata.hpp>
#include <heapwright/trace/read/reader.hpp>

namespace {

using namespace heapwright::trace;

bool is_departure(const Event& event) { return event.kind == EventKind::release || event.kind == EventKind::resize_from; }

struct Trace {
    std::map<std::string, std::string> info;
    std::map<std::string, std::string> end;
    std::vector<Event> events;
    std::vector<StackNode> nodes;
    std::vector<ModuleInfo> modules;
    std::vector<Sample> samples;
    std::vector<UsableSize> usable;
    std::vector<ThreadInfo> threads;
    std::vector<MapLine> last_map;
    std::map<std::string, std::uint64_t> counts;
    std::uint64_t watermark_violations = 0;
    std::uint64_t stack_violations = 0;
    std::uint64_t plain_bytes = 0;
};

bool read_events(const ChunkRef& chunk, std::span<const std::uint8_t> payload, Tick watermark, Trace& trace) {
    static auto decoder = std::make_unique<EventDecoder>();
    if (!decoder->begin(chunk.header, payload)) {
        return false;
    }
    Event event;
    while (decoder->next(event)) {
        trace.watermark_violations += event.tick < watermark ? 1U : 0U;
        trace.stack_violations += static_cast<std::uint32_t>(event.stack) > trace.nodes.size() ? 1U : 0U;
        trace.events.push_back(event);
    }
    trace.plain_bytes += payload.size();
    return !decoder->is_damaged();
}

bool read_chunk(const ChunkRef& chunk, std::span<const std::uint8_t> payload, Tick& watermark, Trace& trace) {
    const ChunkHeader& header = chunk.header;
    switch (header.kind) {
        case ChunkKind::info: decode_text(payload, trace.info); return true;
        case ChunkKind::end: decode_text(payload, trace.end); return true;
        case ChunkKind::modules: trace.modules.clear(); return decode_modules(header, payload, trace.modules);
        case ChunkKind::stacks: return decode_stacks(header, payload, static_cast<std::uint32_t>(trace.nodes.size() + 1), trace.nodes);
        case ChunkKind::events: return read_events(chunk, payload, watermark, trace);
        case ChunkKind::samples: return decode_samples(header, payload, trace.samples);
        case ChunkKind::mappings: trace.last_map.clear(); return decode_mappings(header, payload, trace.last_map);
        case ChunkKind::usable: return decode_usable(header, payload, trace.usable);
        case ChunkKind::threads: return decode_threads(header, payload, trace.threads);
        case ChunkKind::watermark: watermark = header.last_tick; return true;
    }
    return true;
}

/// All threads in one order: by tick, departures first, each thread's own order kept.
std::vector<Event> merged(const std::vector<Event>& events) {
    std::map<std::uint32_t, std::vector<Event>> threads;
    for (const Event& event : events) {
        threads[static_cast<std::uint32_t>(event.thread)].push_back(event);
    }
    std::vector<std::pair<const std::vector<Event>*, std::size_t>> heads;
    for (const auto& [thread, own] : threads) {
        heads.emplace_back(&own, 0);
    }
    std::vector<Event> all;
    all.reserve(events.size());
    const auto key = [](const Event& event) { return event.tick * 2 + (is_departure(event) ? 0U : 1U); };
    while (true) {
        std::pair<const std::vector<Event>*, std::size_t>* best = nullptr;
        for (auto& head : heads) {
            if (head.second < head.first->size() &&
                (best == nullptr || key((*head.first)[head.second]) < key((*best->first)[best->second]))) {
                best = &head;
            }
        }
        if (best == nullptr) {
            return all;
        }
        all.push_back((*best->first)[best->second++]);
    }
}

struct Play {
    std::uint64_t live_blocks = 0;
    std::uint64_t live_bytes = 0;
    std::uint64_t live_twice = 0;        ///< allocated where a block was live
    std::uint64_t unknown_releases = 0;  ///< released or resized where none was
    std::uint64_t wrong_claims = 0;
    std::uint64_t mismatched_kinds = 0;
};

bool fits(Call allocated, Call released) {
    const auto family = [](Call call) {
        return call == Call::new_object || call == Call::delete_object ? 1 : call == Call::new_array || call == Call::delete_array ? 2 : 0;
    };
    return released == Call::realloc || family(allocated) == family(released);
}

Play play(const std::vector<Event>& events) {
    Play play;
    std::unordered_map<std::uint64_t, Event> live;
    std::unordered_map<std::uint64_t, Event> departed;
    for (const Event& event : events) {
        if (event.call == Call::map || event.call == Call::unmap) {
            continue;
        }
        if (is_departure(event)) {
            const auto found = live.find(event.address);
            if (found == live.end()) {
                ++play.unknown_releases;
                continue;
            }
            play.wrong_claims += event.size != 0 && event.size != found->second.size ? 1U : 0U;
            play.mismatched_kinds += fits(found->second.call, event.call) ? 0U : 1U;
            departed[event.address] = found->second;
            live.erase(found);
            continue;
        }
        if (event.address == 0) {
            if (event.kind == EventKind::resize_to && event.size != 0 && event.old_address != 0) {
                live[event.old_address] = departed[event.old_address];
            }
            continue;
        }
        play.live_twice += live.insert_or_assign(event.address, event).second ? 0U : 1U;
    }
    play.live_blocks = live.size();
    for (const auto& [address, event] : live) {
        play.live_bytes += event.size;
    }
    return play;
}

void print_number(const char* key, std::uint64_t number) { std::printf("%s %" PRIu64 "\n", key, number); }

void print_events(const Trace& trace) {
    static constexpr const char* kCalls[] = {"malloc", "calloc",        "realloc",      "aligned", "new_object", "new_array",
                                             "free",   "delete_object", "delete_array", "map",     "unmap"};
    std::map<std::string, std::uint64_t> counts;
    std::set<std::uint32_t> threads;
    std::uint64_t with_stack = 0;
    std::uint64_t requests = 0;
    std::uint64_t touched = 0;
    std::uint64_t aligned = 0;
    for (const Event& event : trace.events) {
        ++counts[event.kind == EventKind::resize_from ? "resize_from" : kCalls[static_cast<int>(event.call)]];
        threads.insert(static_cast<std::uint32_t>(event.thread));
        const bool request = event.kind == EventKind::allocate || event.kind == EventKind::resize_to;
        requests += request ? 1U : 0U;
        with_stack += request && event.stack != StackId::none ? 1U : 0U;
        touched += event.touched != kTouchedUnknown ? 1U : 0U;
        aligned += event.alignment_log2 != 0 ? 1U : 0U;
    }
    for (const auto& [call, count] : counts) {
        print_number(("call." + call).c_str(), count);
    }
    print_number("requests", requests);
    print_number("with_stack", with_stack);
    print_number("with_touched", touched);
    print_number("with_alignment", aligned);
    print_number("event_threads", threads.size());
}

std::string module_of(const Trace& trace, std::uint64_t pc) {
    for (const ModuleInfo& module : trace.modules) {
        if (module.begin <= pc && pc < module.end) {
            char text[32];
            std::snprintf(text, sizeof text, "+0x%" PRIx64, pc - module.bias);
            return module.path.substr(module.path.rfind('/') + 1) + text;
        }
    }
    return "?";
}

void dump(const Trace& trace, const std::vector<Event>& order, std::size_t most) {
    static constexpr const char* kKinds[] = {"allocate", "release", "resize_from", "resize_to"};
    for (const Event& event : order) {
        if (most-- == 0) {
            return;
        }
        std::printf("event %" PRIu64 " thread %u %s call %d address %" PRIx64 " size %" PRIu64 " old %" PRIx64 " align %u touched %" PRId64
                    " stack",
                    event.tick, static_cast<unsigned>(event.thread), kKinds[static_cast<int>(event.kind)], static_cast<int>(event.call),
                    event.address, event.size, event.old_address, static_cast<unsigned>(event.alignment_log2),
                    static_cast<std::int64_t>(event.touched));
        unsigned depth = 0;
        for (auto node = static_cast<std::uint32_t>(event.stack); node != 0 && depth < 40; ++depth) {
            std::printf(" %s", module_of(trace, trace.nodes[node - 1].pc).c_str());
            node = static_cast<std::uint32_t>(trace.nodes[node - 1].parent);
        }
        std::printf("\n");
    }
}

}  // namespace

int main(int count, char** words) {
    if (count < 2) {
        std::fprintf(stderr, "usage: trace_summary TRACE [events to print]\n");
        return 2;
    }
    auto reader = Reader::open(words[1]);
    if (!reader) {
        std::fprintf(stderr, "cannot read %s: %s\n", words[1], heapwright::name_of(reader.error().kind));
        return 1;
    }
    Trace trace;
    Tick watermark = 0;
    std::uint64_t broken_chunks = 0;
    const auto done = reader->for_each_chunk([&](const ChunkRef& chunk, std::span<const std::uint8_t> payload) {
        broken_chunks += read_chunk(chunk, payload, watermark, trace) ? 0U : 1U;
        ++trace.counts["chunks." + std::to_string(static_cast<int>(chunk.header.kind))];
        trace.counts["stored_bytes." + std::to_string(static_cast<int>(chunk.header.kind))] +=
            chunk.header.stored_bytes + sizeof(ChunkHeader);
    });
    if (!done) {
        return 1;
    }
    for (const auto& [key, value] : trace.info) {
        std::printf("info.%s %s\n", key.c_str(), value.c_str());
    }
    for (const auto& [key, value] : trace.end) {
        std::printf("end.%s %s\n", key.c_str(), value.c_str());
    }
    for (const auto& [key, number] : trace.counts) {
        print_number(key.c_str(), number);
    }
    print_number("file_bytes", reader->file_bytes());
    print_number("damaged", reader->health().damaged() ? 1 : 0);
    print_number("broken_chunks", broken_chunks);
    print_number("events", trace.events.size());
    print_number("plain_event_bytes", trace.plain_bytes);
    print_number("nodes", trace.nodes.size());
    print_number("modules", trace.modules.size());
    print_number("samples", trace.samples.size());
    print_number("usable_pairs", trace.usable.size());
    print_number("mappings", trace.last_map.size());
    print_number("thread_entries", trace.threads.size());
    for (const ThreadInfo& thread : trace.threads) {
        std::printf("thread.%u %u %s %s\n", static_cast<unsigned>(thread.index), thread.tid, thread.finished ? "finished" : "alive",
                    thread.name.c_str());
    }
    print_number("watermark_violations", trace.watermark_violations);
    print_number("stack_violations", trace.stack_violations);
    print_events(trace);
    const std::vector<Event> order = merged(trace.events);
    const Play result = play(order);
    print_number("live_blocks", result.live_blocks);
    print_number("live_bytes", result.live_bytes);
    print_number("live_twice", result.live_twice);
    print_number("unknown_releases", result.unknown_releases);
    print_number("wrong_claims", result.wrong_claims);
    print_number("mismatched_kinds", result.mismatched_kinds);
    if (!trace.events.empty()) {
        std::printf("bytes_per_event %.3f\n", static_cast<double>(reader->file_bytes()) / static_cast<double>(trace.events.size()));
    }
    if (count > 2) {
        dump(trace, order, std::strtoul(words[2], nullptr, 10));
    }
    return 0;
}
