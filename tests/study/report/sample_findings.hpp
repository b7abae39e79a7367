// Findings made by hand, with every part filled, for the tests of the reports. All numbers are consistent with each other.
#pragma once

#include <cstdint>
#include <string>

#include <heapwright/study/analysis/findings.hpp>

namespace heapwright::study::test {

/// Grows findings piece by piece; build() fills in the totals.
class FindingsBuilder {
public:
    FindingsBuilder() {
        findings_.provenance = {
            {"program", "/usr/bin/server"}, {"arguments", "server --port 80"}, {"allocator", "glibc 2.36"}, {"kernel", "6.1.0"}};
        findings_.health = {
            .complete = true, .file_bytes = 81920, .used_bytes = 81920, .dropped_events = 0, .sample_interval_bytes = 0, .note = ""};
    }

    FrameId frame(const std::string& function, const std::string& file, std::uint32_t line, const std::string& module = "server",
                  bool runtime = false, bool inlined = false) {
        findings_.frames.push_back({function, file, line, 0, module, inlined, runtime});
        return static_cast<FrameId>(findings_.frames.size() - 1);
    }

    /// A site that makes `allocations` blocks of `size` bytes, of which `live` are live at the peak and `leaked` for ever.
    Site& site(std::vector<FrameId> frames, std::uint64_t size, std::uint64_t allocations, std::uint64_t live = 0,
               std::uint64_t leaked = 0) {
        Site site;
        site.frames = std::move(frames);
        site.stack = static_cast<trace::StackId>(findings_.sites.size() + 1);
        site.calls[static_cast<std::size_t>(trace::Call::malloc)] = allocations;
        site.allocations = allocations;
        site.allocated_bytes = allocations * size;
        site.allocated_usable_bytes = allocations * usable(size);
        site.live_at_peak = {live, live * size, live * usable(size)};
        site.leaked = {leaked, leaked * size, leaked * usable(size)};
        site.peak_bytes = live * size;
        site.min_size = size;
        site.max_size = size;
        site.threads = 1;
        site.first_ns = 1000;
        site.last_ns = 5'000'000;
        site.lifetimes[10] = static_cast<std::uint32_t>(allocations - leaked);
        site.sizes[4] = static_cast<std::uint32_t>(allocations);
        findings_.sites.push_back(std::move(site));
        count_size(findings_.sites.back(), size);
        return findings_.sites.back();
    }

    Findings& raw() { return findings_; }

    Findings build() {
        Totals& totals = findings_.totals;
        Fragmentation& peak = findings_.at_peak;
        for (const Site& site : findings_.sites) {
            totals.allocations += site.allocations;
            totals.allocated_bytes += site.allocated_bytes;
            totals.temporary += site.temporary;
            totals.reallocs += site.reallocs;
            totals.cross_thread_frees += site.cross_thread_frees;
            totals.over_aligned += site.over_aligned;
            totals.leaked.blocks += site.leaked.blocks;
            totals.leaked.requested_bytes += site.leaked.requested_bytes;
            totals.leaked.usable_bytes += site.leaked.usable_bytes;
            peak.live_requested += site.live_at_peak.requested_bytes;
            peak.live_usable += site.live_at_peak.usable_bytes;
            peak.live_blocks += site.live_at_peak.blocks;
            findings_.lifetimes[10] += site.lifetimes[10];
            findings_.lifetime_bytes[10] += site.lifetimes[10] * site.max_size;
            findings_.lifetime_by_size[10][4] += site.lifetimes[10];
        }
        totals.frees = totals.allocations - totals.leaked.blocks;
        totals.events = totals.allocations + totals.frees;
        totals.peak_requested = peak.live_requested;
        totals.peak_usable = peak.live_usable;
        totals.peak_time_ns = 6'000'000'000;
        totals.duration_ns = 10'000'000'000;
        totals.cpu_ns = 4'000'000'000;
        fill_moments();
        fill_threads_and_maps();
        return findings_;
    }

    static std::uint64_t usable(std::uint64_t size) { return size <= 24 ? 24 : (size + 8 + 15) / 16 * 16 - 8; }

private:
    void count_size(const Site& site, std::uint64_t size) {
        SizeRow* row = nullptr;
        for (SizeRow& known : findings_.sizes) {
            row = known.size == size ? &known : row;
        }
        if (row == nullptr) {
            row = &findings_.sizes.emplace_back();
            row->size = size;
            row->usable = usable(size);
        }
        const auto add = [](Amount& sum, const Amount& part) {
            sum.blocks += part.blocks;
            sum.requested_bytes += part.requested_bytes;
            sum.usable_bytes += part.usable_bytes;
        };
        row->allocations += site.allocations;
        add(row->live_at_peak, site.live_at_peak);
        add(row->leaked, site.leaked);
    }

    void fill_moments() {
        constexpr std::uint64_t kPage = 4096;
        Fragmentation& peak = findings_.at_peak;
        peak.time_ns = findings_.totals.peak_time_ns;
        peak.internal_bytes = peak.live_usable - peak.live_requested;
        peak.occupied_pages = peak.live_usable * 3 / 2 / kPage + 1;  // a third of the pages in use is free
        peak.external_bytes = peak.occupied_pages * kPage - peak.live_usable;
        peak.internal_ratio = peak.live_usable == 0 ? 0 : static_cast<double>(peak.internal_bytes) / static_cast<double>(peak.live_usable);
        peak.external_ratio = static_cast<double>(peak.external_bytes) / static_cast<double>(peak.occupied_pages * kPage);
        peak.largest_free_run = peak.external_bytes / 4;
        peak.retained_bytes = 64 * kPage;
        peak.non_heap_bytes = 2 << 20;
        peak.resident_bytes = peak.occupied_pages * kPage + peak.retained_bytes + peak.non_heap_bytes;
        peak.occupancy[0] = peak.occupied_pages / 2;
        peak.occupancy[10] = peak.occupied_pages - peak.occupied_pages / 2;
        findings_.totals.peak_resident = peak.resident_bytes;

        Fragmentation& end = findings_.at_end;
        end = peak;
        end.time_ns = findings_.totals.duration_ns;
        end.live_requested = findings_.totals.leaked.requested_bytes;
        end.live_usable = findings_.totals.leaked.usable_bytes;
        end.live_blocks = findings_.totals.leaked.blocks;
        end.internal_bytes = end.live_usable - end.live_requested;
        end.external_bytes = end.occupied_pages * kPage - end.live_usable;

        constexpr std::uint64_t kMoments = 100;
        for (std::uint64_t i = 0; i < kMoments; ++i) {
            const std::uint64_t rise = i <= 60 ? i : 60 - (i - 60);
            findings_.timeline.push_back({.time_ns = i * 100'000'000,
                                          .live_requested = peak.live_requested * rise / 60,
                                          .live_usable = peak.live_usable * rise / 60,
                                          .live_blocks = peak.live_blocks * rise / 60,
                                          .occupied_page_bytes = peak.occupied_pages * kPage * rise / 60,
                                          .resident_bytes = i % 10 == 0 ? peak.resident_bytes * rise / 60 : 0,
                                          .file_bytes = 1 << 20,
                                          .allocations = findings_.totals.allocations / kMoments,
                                          .frees = findings_.totals.frees / kMoments,
                                          .fragmentation = peak.external_ratio});
        }
    }

    void fill_threads_and_maps() {
        findings_.threads.push_back({static_cast<trace::ThreadIndex>(1), 4711, "server", findings_.totals.allocations,
                                     findings_.totals.allocated_bytes, findings_.totals.frees, 0, findings_.at_peak.live_requested});
        for (const char* label : {"peak", "end"}) {
            HeapMap map;
            map.label = label;
            map.time_ns = 6'000'000'000;
            map.runs.push_back({0x5555'5555'0000, 4096, {255, 128, 0, 1}});
            map.runs.push_back({0x7fff'0000'0000, 8192, {7}});
            findings_.maps.push_back(std::move(map));
        }
    }

    Findings findings_;
};

/// A small server: sessions that leak and pin, a parser with temporary blocks, a buffer that grows.
inline Findings sample_findings() {
    FindingsBuilder builder;
    const FrameId start = builder.frame("__libc_start_main", "", 0, "libc.so.6", true);
    const FrameId main = builder.frame("main", "/src/main.cpp", 10);
    const FrameId malloc = builder.frame("operator new(unsigned long)", "", 0, "libstdc++.so.6.0.30", true);
    const FrameId serve = builder.frame("Server::serve(Request const&)", "/src/server.cpp", 120);
    const FrameId open = builder.frame("Session::open(std::string const&)", "/src/session.cpp", 42);
    const FrameId parse = builder.frame("void parse<Json>(Json const&)", "/src/parse.cpp", 7);
    const FrameId vector = builder.frame("void std::vector<char>::_M_realloc_insert<char>(char&&)", "/usr/include/c++/12/bits/vector.tcc",
                                         440, "server", true, true);
    const FrameId append = builder.frame("Buffer::append(char)", "/src/buffer.cpp", 33);

    Site& sessions = builder.site({malloc, open, serve, main, start}, 48, 10'000, 8'000, 500);
    sessions.pinned_bytes_at_peak = 400'000;
    sessions.pinned_free_bytes_at_peak = 120'000;
    sessions.pinned_bytes_at_end = 500'000;
    sessions.pinned_free_bytes_at_end = 450'000;
    sessions.cross_thread_frees = 4'000;
    sessions.threads = 3;

    Site& parser = builder.site({malloc, parse, serve, main, start}, 200, 100'000, 10);
    parser.temporary = 90'000;
    parser.short_lived = 99'000;
    parser.same_frame = 80'000;

    Site& buffer = builder.site({malloc, vector, append, serve, main, start}, 1'000'000, 20, 1);
    buffer.reallocs = 200;
    buffer.realloc_chains = 20;
    buffer.realloc_chain_max = 10;
    buffer.realloc_copied_bytes = 40'000'000;

    Site& aligned = builder.site({main, start}, 4096, 3, 3, 3);
    aligned.over_aligned = 3;
    return builder.build();
}

}  // namespace heapwright::study::test
