// Writes the seed corpus of trace_reader_fuzz: trace_reader_seeds FOLDER
//
// Each seed is small and shows the fuzzer one part of the grammar. The first byte is the fuzz target's own (see there).
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include <tests/trace/read/trace_builder.hpp>

namespace {

using namespace heapwright;
using test::TraceBuilder;
using trace::Call;

void write(const std::string& folder, const std::string& name, TraceBuilder builder) {
    for (const bool repaired : {true, false}) {
        std::ofstream file(folder + "/" + name + (repaired ? "-repaired" : "-raw"), std::ios::binary);
        file.put(repaired ? '\0' : '\1');
        file.write(reinterpret_cast<const char*>(builder.bytes().data()), static_cast<std::streamsize>(builder.bytes().size()));
    }
}

TraceBuilder events() {
    TraceBuilder builder(false);
    const auto stack = builder.stack({0x1000, 0x2000, 0x3000});
    builder.allocate(1, 10, 0x10000, 40, stack).allocate(2, 11, 0x20000, 500'000, stack, Call::aligned, 12).flush(1);
    builder.resize(1, 20, 30, 0x10000, 0x18000, 80, stack).resize(1, 40, 41, 0x18000, 0, 1 << 20, stack);
    builder.release(2, 50, 0x18000).release(1, 51, 0x20000, Call::delete_array).allocate(3, 52, 0, 1 << 30).watermark(52).end();
    return builder;
}

TraceBuilder metadata() {
    TraceBuilder builder(false);
    builder.info({{"program", "/bin/x"}, {"sample_interval_bytes", "4096"}, {"started_tick", "5"}, {"started_monotonic_ns", "9"}});
    builder.modules({{.path = "/bin/x", .build_id = {1, 2, 3}, .begin = 0x1000, .end = 0x9000, .bias = 0x1000},
                     {.path = "libc.so.6", .build_id = {}, .begin = 0xA000, .end = 0xB000, .bias = 0}});
    builder.usable({{10, 24}, {100, 104}});
    builder.samples(
        {{.tick = 5, .monotonic_ns = 9, .resident_pages = 3, .file_pages = 1, .minor_faults = 2, .major_faults = 0, .cpu_ns = 7}});
    builder.mappings(6,
                     {{.where = {.begin = 0x10000, .bytes = 0x8000, .resident_bytes = 0x4000, .anonymous_bytes = 0x4000, .permissions = 3},
                       .name = "[heap]"}});
    builder.allocate(1, 5, 0x10010, 10, builder.stack({0x1100, 0xA100}));
    builder.threads(
        {{.index = static_cast<trace::ThreadIndex>(1), .tid = 7, .name = "main", .first_tick = 5, .last_tick = 6, .finished = true}});
    builder.end({{"dropped_events", "1"}, {"peak_resident_bytes", "81920"}});
    return builder;
}

TraceBuilder compressed() {
    TraceBuilder builder(true);
    for (trace::Tick tick = 1; tick < 60; ++tick) {
        builder.allocate(1 + tick % 2 == 0 ? 1 : 2, tick, 0x10000 + tick * 64, 24 + tick);
    }
    builder.end();
    return builder;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fputs("usage: trace_reader_seeds FOLDER\n", stderr);
        return 2;
    }
    write(argv[1], "events", events());
    write(argv[1], "metadata", metadata());
    write(argv[1], "compressed", compressed());
    write(argv[1], "empty", TraceBuilder(false));
    return 0;
}
