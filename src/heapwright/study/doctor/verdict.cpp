#include <heapwright/study/doctor/verdict.hpp>

#include <algorithm>
#include <array>

#include <heapwright/study/report/terminal.hpp>
#include <heapwright/study/report/units.hpp>

namespace heapwright::study {

namespace {

/// What weighs less, of the RSS or in bytes, is not worth a remedy.
constexpr double kWorthShare = 0.2;
constexpr std::uint64_t kWorthBytes = std::uint64_t{4} << 20;
/// Blocks come and go; growth between two looks is more than this, by itself and of what lives.
constexpr std::uint64_t kGrowthBytes = std::uint64_t{256} << 10;
constexpr double kGrowthShare = 0.01;
constexpr double kLittleShare = 0.1;
constexpr std::size_t kManyArenas = 8;

double share(std::uint64_t part, std::uint64_t whole) { return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole); }

std::string of_rss(std::uint64_t bytes, const Examination& look) {
    return bytes_text(bytes) + " (" + share_text(bytes, look.rss()) + ") of the RSS of " + bytes_text(look.rss());
}

bool is_worth(std::uint64_t bytes, const Examination& look) { return bytes >= kWorthBytes && share(bytes, look.rss()) >= kWorthShare; }

/// Whole free pages in spans of heapwright's are there because live blocks hold the span: pinned, seen from who wants them back.
bool keeps_in_spans(const Examination& look) { return look.allocator == AllocatorKind::heapwright; }
std::uint64_t whole_free(const Examination& look) { return look.parts.trimmable + (keeps_in_spans(look) ? 0 : look.parts.kept_free); }
std::uint64_t pinned_free(const Examination& look) { return look.parts.pinned_free + (keeps_in_spans(look) ? look.parts.kept_free : 0); }

/// How malloc of each allocator is asked what it holds, from inside.
std::string own_statistics(AllocatorKind kind) {
    switch (kind) {
        case AllocatorKind::jemalloc: return "ask it: malloc_stats_print() in the program, or MALLOC_CONF=stats_print:true at its start";
        case AllocatorKind::tcmalloc: return "ask it: MallocExtension::GetStats() in the program";
        case AllocatorKind::mimalloc: return "ask it: mi_stats_print() in the program, or MIMALLOC_SHOW_STATS=1 at its start";
        default: return "record it: heapwright record -- PROGRAM sees every block, whoever serves it";
    }
}

void judge_retention(const Examination& look, Verdict& verdict) {
    const MemoryParts& parts = look.parts;
    verdict.kind = VerdictKind::retention;
    verdict.sentences.push_back("retention: " + of_rss(whole_free(look), look) + " are whole free pages that malloc keeps");
    const bool is_glibc = look.allocator == AllocatorKind::glibc;
    if (!is_glibc) {
        verdict.fix = "its clock gives back what stays free for half a second: look again, or call malloc_trim(0)";
        return;
    }
    verdict.sentences.push_back(
        "malloc_trim(0) would give back " + bytes_text(parts.trimmable) +
        (parts.kept_free < kWorthBytes ? "" : ", but not the " + bytes_text(parts.kept_free) + " at the ends of its thread arenas"));
    if (parts.kept_free > parts.trimmable) {
        verdict.fix =
            "start it with MALLOC_ARENA_MAX=1, so that malloc_trim(0) reaches all free ends; or under heapwright run, whose malloc "
            "gives back by itself";
    } else {
        verdict.fix =
            "call malloc_trim(0) when a peak of work is over; without a change of the program: heapwright run -- PROGRAM, whose malloc "
            "gives back by itself";
    }
}

void judge_fragmentation(const Examination& look, Verdict& verdict) {
    const MemoryParts& parts = look.parts;
    verdict.kind = VerdictKind::fragmentation;
    verdict.sentences.push_back("fragmentation: " + of_rss(pinned_free(look), look) + " are free bytes on " +
                                (keeps_in_spans(look) ? "spans" : "pages") + " that also hold live blocks, " + bytes_text(parts.live) +
                                " of them");
    verdict.sentences.push_back((share(parts.trimmable, look.rss()) < kLittleShare
                                     ? "no trim helps: malloc_trim(0) would give back "
                                     : "a trim helps little: malloc_trim(0) would give back ") +
                                bytes_text(parts.trimmable));
    if (look.fast_blocks >= 100'000) {
        verdict.sentences.push_back(count_text(look.fast_blocks) +
                                    " of the free blocks are small ones that glibc has not merged yet; a trim merges them");
    }
    verdict.fix =
        "find who pins the pages: heapwright record -- PROGRAM, then heapwright report --show pinned; or compare allocators: heapwright "
        "tune -- PROGRAM";
}

/// Free memory that lies in arenas is in reach of their threads only.
void name_arenas(const Examination& look, Verdict& verdict) {
    if (look.arenas.size() >= kManyArenas && is_worth(pinned_free(look) + whole_free(look), look)) {
        verdict.sentences.push_back("it has " + counted(look.arenas.size(), "arena") + " for " + counted(look.threads, "thread") +
                                    ": MALLOC_ARENA_MAX=2 would let threads use each other's free memory, and wait for each other");
    }
}

void judge_outside(const Examination& look, Verdict& verdict) {
    const MemoryParts& parts = look.parts;
    verdict.kind = VerdictKind::outside;
    struct Part {
        std::uint64_t bytes;
        const char* what;
        const char* fix;
    };
    const std::array candidates{
        Part{.bytes = parts.other_anonymous,
             .what = "anonymous memory that malloc did not ask for: the program's own mappings, a runtime's heap, or an allocator inside "
                     "the executable",
             .fix = "look into the runtime's own figures; heapwright record shows the mappings with the stacks that made them"},
        Part{.bytes = parts.files,
             .what = "files: programs, libraries, and files that are mapped",
             .fix = "most of it is shared, and the kernel takes it back when memory is short"},
        Part{.bytes = parts.shared, .what = "memory shared with other processes", .fix = ""},
        Part{.bytes = parts.stacks, .what = "stacks of threads", .fix = "use fewer threads, or smaller frames"},
    };
    const Part& largest =
        *std::max_element(candidates.begin(), candidates.end(), [](const Part& a, const Part& b) { return a.bytes < b.bytes; });
    verdict.sentences.push_back("not malloc's: " + of_rss(largest.bytes, look) + " are " + largest.what);
    verdict.fix = largest.fix;
}

void judge_use(const Examination& look, Verdict& verdict) {
    verdict.kind = VerdictKind::healthy;
    std::string text = "in use: " + of_rss(look.parts.live, look) + " are live blocks";
    if (look.live_blocks != 0) {
        text += ", " + count_text(look.live_blocks) + " of " + bytes_text(look.parts.live / look.live_blocks) + " on average";
    }
    verdict.sentences.push_back(text);
}

void judge_growth(const Examination& now, const Examination& before, double seconds, Verdict& verdict) {
    const auto grown = difference(now.parts.live, before.parts.live);
    const std::string within = " within " + duration_text(static_cast<std::uint64_t>(seconds * 1e9));
    const bool is_growth = grown > 0 && static_cast<std::uint64_t>(grown) >= kGrowthBytes &&
                           share(static_cast<std::uint64_t>(grown), before.parts.live) >= kGrowthShare;
    if (!is_growth) {
        verdict.sentences.push_back("no growth: live blocks changed by " + signed_bytes_text(grown) + within);
        return;
    }
    const double hourly = static_cast<double>(grown) * 3600 / std::max(seconds, 1e-3);
    verdict.kind = VerdictKind::growth;
    verdict.sentences.insert(verdict.sentences.begin(), "growth: live blocks became " + bytes_text(static_cast<std::uint64_t>(grown)) +
                                                            " more" + within + ", " + bytes_text(static_cast<std::uint64_t>(hourly)) +
                                                            " an hour; a leak, if that goes on while the work stays the same");
    verdict.fix = "find the site: heapwright record -- PROGRAM, then heapwright report --show leaks";
}

/// A server's master, or a driver of compilers, holds little itself.
void name_descendants(const Examination& look, Verdict& verdict) {
    constexpr std::size_t kNamed = 4;
    const auto& all = look.descendants;
    if (all.empty()) {
        return;
    }
    std::uint64_t bytes = 0;
    std::string names;
    for (std::size_t i = 0; i < all.size(); ++i) {
        bytes += all[i].rss_bytes;
        if (i < kNamed) {
            names += std::string(i == 0 ? "" : ", ") + harmless(all[i].name) + " " + std::to_string(all[i].pid) + " (" +
                     bytes_text(all[i].rss_bytes) + ")";
        }
    }
    names += all.size() > kNamed ? " and " + count_text(all.size() - kNamed) + " more" : "";
    verdict.sentences.push_back("it is one of " + count_text(all.size() + 1) + " processes: those that it started hold " +
                                bytes_text(bytes) + ", pages that they share counted in each: " + names);
    const bool is_problem = verdict.kind != VerdictKind::healthy && verdict.kind != VerdictKind::outside;
    if (bytes > look.rss() && !is_problem) {
        verdict.fix = "look at the largest: heapwright doctor " + std::to_string(all.front().pid);
    }
}

/// What is true of any verdict, and changes what the RSS means.
void add_remarks(const Examination& look, Verdict& verdict) {
    name_descendants(look, verdict);
    if (is_worth(look.parts.lazy_free, look)) {
        verdict.sentences.push_back(bytes_text(look.parts.lazy_free) +
                                    " are given back already (MADV_FREE): they count until the kernel needs them");
    }
    if (is_worth(look.parts.thread_cached, look)) {
        verdict.sentences.push_back(bytes_text(look.parts.thread_cached) +
                                    " wait in caches of threads: GLIBC_TUNABLES=glibc.malloc.tcache_count=2 makes them smaller");
    }
    if (is_worth(look.huge_pages, look) && is_worth(look.parts.pinned_free + whole_free(look), look)) {
        verdict.sentences.push_back(bytes_text(look.huge_pages) +
                                    " are huge pages of 2 MiB, each resident as a whole: try with them off for this program");
    }
    if (look.swapped >= kWorthBytes && look.swapped >= look.rss() / 4) {
        verdict.sentences.push_back(bytes_text(look.swapped) + " more are swapped out, and were not looked at");
    }
}

}  // namespace

const char* name_of(VerdictKind kind) {
    switch (kind) {
        case VerdictKind::healthy: return "healthy";
        case VerdictKind::growth: return "growth";
        case VerdictKind::retention: return "retention";
        case VerdictKind::fragmentation: return "fragmentation";
        case VerdictKind::outside: return "outside";
        case VerdictKind::unknown: break;
    }
    return "unknown";
}

Verdict judge(const Examination& now, const Examination* before, double seconds) {
    Verdict verdict;
    const MemoryParts& parts = now.parts;
    if (now.knowledge == Knowledge::estimated) {
        verdict.sentences.push_back("an estimate by its mappings: " + now.caveat);
        verdict.sentences.push_back("heap or the program's own mappings: " + of_rss(parts.other_anonymous, now));
        if (before != nullptr) {
            verdict.sentences.push_back("the RSS changed by " + signed_bytes_text(difference(now.rss(), before->rss())) + " within " +
                                        duration_text(static_cast<std::uint64_t>(seconds * 1e9)));
        }
        verdict.fix = own_statistics(now.allocator);
        add_remarks(now, verdict);
        return verdict;
    }
    const std::uint64_t free_whole = whole_free(now);
    if (is_worth(std::max(free_whole, pinned_free(now)), now)) {
        if (free_whole >= pinned_free(now)) {
            judge_retention(now, verdict);
        } else {
            judge_fragmentation(now, verdict);
        }
    } else if (parts.heap() < now.rss() / 2 && parts.live < std::max({parts.other_anonymous, parts.files, parts.shared, parts.stacks})) {
        judge_outside(now, verdict);
    } else {
        judge_use(now, verdict);
    }
    if (before != nullptr) {
        judge_growth(now, *before, seconds, verdict);
    } else if (verdict.kind == VerdictKind::healthy) {
        verdict.sentences.emplace_back("one look cannot tell a leak from what is needed: look twice with --for 10s");
    }
    name_arenas(now, verdict);
    add_remarks(now, verdict);
    return verdict;
}

}  // namespace heapwright::study
