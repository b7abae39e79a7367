// glibc's own settings: how many arenas, when to map, when to give back, how much to cache.
#include <algorithm>

#include <heapwright/study/advice/rule.hpp>

namespace heapwright::study::advice {

namespace {

std::uint64_t allocating_threads(const Findings& findings) {
    return static_cast<std::uint64_t>(
        std::count_if(findings.threads.begin(), findings.threads.end(), [](const ThreadRow& thread) { return thread.allocations >= 100; }));
}

double wasted(const Case& program) { return std::max(wasted_at(program.findings.at_peak), wasted_at(program.findings.at_end)); }

void suggest_arenas(const Case& program, std::vector<Suggestion>& suggestions) {
    const std::uint64_t threads = allocating_threads(program.findings);
    const double bytes = wasted(program);
    if (threads < kManyThreads || !program.worth_bytes(bytes)) {
        return;
    }
    Suggestion suggestion = about_program("settings_glibc", Experiment::Kind::setting, "glibc:arena_max=2", Gain::mean);
    suggestion.title = "Cap glibc's arenas";
    suggestion.evidence = {{"threads that allocate", number(threads), ""}, {"bytes that hold nothing", bytes, "B"}};
    suggestion.what =
        "glibc gives up to eight arenas a core to the threads, whatever the container's limit, and each keeps its own free memory. "
        "With two they share it, at the price of waiting for each other: look at the time, too.";
    suggestion.how = "MALLOC_ARENA_MAX=2 ./program";
    suggestion.expected_bytes = bytes * (1 - 2.0 / number(threads));
    suggestion.arithmetic = "what holds nothing now, x (1 - 2 / threads): at best";
    suggestions.push_back(std::move(suggestion));
}

void suggest_mmap_threshold(const Case& program, std::vector<Suggestion>& suggestions) {
    constexpr std::size_t kFirstBucket = 17;  // 128 KiB
    constexpr std::size_t kLastBucket = 24;   // the dynamic threshold stops at 32 MiB
    double bytes = 0;
    std::uint64_t blocks = 0;
    for (const Place& place : program.places) {
        for (std::size_t bucket = kFirstBucket; bucket <= kLastBucket; ++bucket) {
            if (place.sum.frees > 0) {
                blocks += place.sum.sizes[bucket];
                bytes += number(place.sum.sizes[bucket]) * number(std::uint64_t{1} << bucket);
            }
        }
    }
    const double kept = wasted(program);
    if (blocks < 2 || bytes < kept || !program.worth_bytes(kept)) {
        return;
    }
    Suggestion suggestion =
        about_program("settings_glibc", Experiment::Kind::setting, "glibc:mmap_threshold=131072,trim_threshold=131072", Gain::mean);
    suggestion.title = "Pin glibc's mmap threshold";
    suggestion.evidence = {{"blocks of 128 KiB to 32 MiB", number(blocks), "blocks"}, {"bytes that hold nothing", kept, "B"}};
    suggestion.what =
        "After the first large block is freed, glibc raises its mmap threshold to that size, and later blocks of such sizes go into the "
        "heap, "
        "where what is freed below a live block stays. Setting the threshold also keeps it from moving.";
    suggestion.how = "MALLOC_MMAP_THRESHOLD_=131072 MALLOC_TRIM_THRESHOLD_=131072 ./program";
    suggestion.expected_bytes = kept / 2;
    suggestion.arithmetic = "at best half of what holds nothing now";
    suggestions.push_back(std::move(suggestion));
}

void suggest_top_pad(const Case& program, std::vector<Suggestion>& suggestions) {
    const Totals& totals = program.findings.totals;
    const double needed = number(totals.peak_resident) / 4096;
    const double faults = number(totals.minor_faults) - needed;
    const double seconds = faults * kFaultNs / 1e9;
    if (faults < 8 * needed || !program.worth_seconds(seconds)) {
        return;
    }
    Suggestion suggestion =
        about_program("settings_glibc", Experiment::Kind::setting, "glibc:trim_threshold=256M,top_pad=16M,mmap_threshold=32M", Gain::time);
    suggestion.title = "Let glibc keep memory that it will need again";
    suggestion.evidence = {{"page faults", number(totals.minor_faults), ""}, {"pages resident at the peak", needed, ""}};
    suggestion.what =
        "Each page of the peak was touched for the first time " +
        count_text(static_cast<std::uint64_t>(number(totals.minor_faults) / std::max(needed, 1.0))) +
        " times: memory goes back to the system and is fetched again at once. A higher trim threshold keeps it, and costs resident memory.";
    suggestion.how = "MALLOC_TRIM_THRESHOLD_=268435456 MALLOC_TOP_PAD_=16777216 MALLOC_MMAP_THRESHOLD_=33554432 ./program";
    suggestion.expected_seconds = seconds;
    suggestion.arithmetic = count_text(static_cast<std::uint64_t>(faults)) + " faults beyond the peak's pages x 250 ns";
    suggestions.push_back(std::move(suggestion));
}

void suggest_tcache(const Case& program, std::vector<Suggestion>& suggestions) {
    const Totals& totals = program.findings.totals;
    // A cache of seven serves what is freed and asked for again at once; only bursts gain from a longer one.
    const double in_bursts = number(totals.allocations - std::min(totals.allocations, totals.temporary));
    const double seconds = in_bursts * 5 / 1e9;
    if (in_bursts < kMostly * number(totals.allocations) || totals.frees < 1'000'000 || !program.worth_seconds(seconds)) {
        return;
    }
    Suggestion suggestion = about_program("settings_glibc", Experiment::Kind::setting, "glibc:tcache_count=2000", Gain::time);
    suggestion.title = "Give glibc's thread caches more room";
    suggestion.evidence = {{"allocations", number(totals.allocations), ""}, {"freed before the next one", number(totals.temporary), ""}};
    suggestion.what =
        "glibc caches seven blocks of each size for a thread; this program frees and allocates in longer bursts, which then go through the "
        "arena.";
    suggestion.how = "GLIBC_TUNABLES=glibc.malloc.tcache_count=2000 ./program";
    suggestion.expected_seconds = seconds;
    suggestion.arithmetic = count_text(static_cast<std::uint64_t>(in_bursts)) + " allocations in bursts x 5 ns";
    suggestions.push_back(std::move(suggestion));
}

}  // namespace

std::vector<Suggestion> suggest_glibc_settings(const Case& program) {
    std::vector<Suggestion> suggestions;
    if (program.allocator.family != AllocatorInUse::Family::glibc) {
        return suggestions;
    }
    suggest_arenas(program, suggestions);
    suggest_mmap_threshold(program, suggestions);
    suggest_top_pad(program, suggestions);
    suggest_tcache(program, suggestions);
    return suggestions;
}

}  // namespace heapwright::study::advice
