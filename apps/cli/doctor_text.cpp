#include "doctor_text.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include <heapwright/study/report/sparkline.hpp>
#include <heapwright/study/report/table.hpp>
#include <heapwright/study/report/units.hpp>

namespace heapwright::cli {
namespace {

using study::AllocatorKind;
using study::Examination;
using study::Knowledge;
using study::Table;

constexpr std::size_t kBarColumns = 6;
constexpr std::size_t kMostArenas = 64;

std::string title(const Examination& look, const study::Terminal& terminal) {
    std::string text = study::inked(terminal, study::Ink::strong, study::harmless(look.name)) + " (process " + std::to_string(look.pid) +
                       ")  RSS " + study::bytes_text(look.rss()) + ", " + study::counted(look.threads, "thread") +
                       ", malloc: " + study::name_of(look.allocator);
    if (!look.arenas.empty()) {
        text += ", " + study::counted(look.arenas.size(), "arena");
    }
    return text + (look.knowledge == Knowledge::estimated ? "  (ESTIMATE)" : "") + "\n\n";
}

std::string whole_remark(const Examination& look) {
    return look.allocator == AllocatorKind::heapwright ? "whole pages: its clock returns them" : "whole pages: malloc_trim(0) returns them";
}

std::string kept_remark(const Examination& look) {
    return look.allocator == AllocatorKind::heapwright ? "whole pages, in spans that malloc takes from"
                                                       : "whole pages, but no trim reaches them";
}

std::string live_remark(const Examination& look) {
    std::string text = study::counted(look.live_blocks, "block");
    if (look.live_mapped != 0) {
        text += ", " + study::bytes_text(look.live_mapped) + " with own mappings";
    }
    return text;
}

std::string parts_table(const Examination& look, const study::Terminal& terminal) {
    Table table({{"part", Table::Align::left},
                 {"", Table::Align::right},
                 {"bytes", Table::Align::right},
                 {"", Table::Align::right},
                 {"", Table::Align::left},
                 {"", Table::Align::flexible}});
    const std::uint64_t rss = look.rss();
    const auto part = [&](const char* name, std::uint64_t bytes, const std::string& remark, bool always = false) {
        if (bytes != 0 || always) {
            table.add({name, study::bytes_text(bytes), study::count_text(bytes), study::share_text(bytes, rss),
                       study::bar(bytes, rss, kBarColumns, terminal), remark});
        }
    };
    const study::MemoryParts& parts = look.parts;
    const bool is_walked = look.knowledge == Knowledge::walked;
    part("live", parts.live, live_remark(look), is_walked);
    part("thread caches", parts.thread_cached, "freed, and kept by their threads", is_walked);
    part("trimmable", parts.trimmable, whole_remark(look), is_walked);
    part("kept free", parts.kept_free, kept_remark(look));
    part("pinned free", parts.pinned_free, "on pages that also hold live blocks", is_walked);
    part("metadata", parts.metadata, "malloc's own");
    part("uncertain", parts.uncertain, "changed meanwhile, or damaged");
    part("stacks", parts.stacks, "of threads, or kept for later ones");
    part("files", parts.files, study::bytes_text(look.files_code) + " code, " + study::bytes_text(look.files_private) + " written data");
    part("shared", parts.shared, "with other processes");
    part("lazy free", parts.lazy_free, "given back, until the kernel needs it");
    part("other anonymous", parts.other_anonymous,
         is_walked ? "mappings that malloc did not make" : "heap, and mappings of the program's own");
    part("other", parts.other, "the kernel's, and what changed");
    std::string text = table.text(terminal);
    if (look.huge_pages != 0) {
        text += "  of this, " + study::bytes_text(look.huge_pages) + " in huge pages of 2 MiB\n";
    }
    if (look.swapped != 0) {
        text += "  beside it, " + study::bytes_text(look.swapped) + " swapped out, which was not looked at\n";
    }
    return text;
}

std::string arena_table(const Examination& look, const study::Terminal& terminal) {
    Table table({{"arena", Table::Align::left},
                 {"heaps", Table::Align::right},
                 {"threads", Table::Align::right},
                 {"live", Table::Align::right},
                 {"whole free pages", Table::Align::right},
                 {"pinned free", Table::Align::right},
                 {"largest free", Table::Align::right}});
    std::vector<study::ArenaFigures> arenas = look.arenas;
    std::sort(arenas.begin(), arenas.end(),
              [](const auto& a, const auto& b) { return a.free_whole + a.pinned_free > b.free_whole + b.pinned_free; });
    for (std::size_t index = 0; index < std::min(arenas.size(), kMostArenas); ++index) {
        const study::ArenaFigures& arena = arenas[index];
        char address[32];
        static_cast<void>(std::snprintf(address, sizeof address, "0x%llx", static_cast<unsigned long long>(arena.address)));
        table.add({arena.is_main ? "main" : address, study::count_text(arena.heaps), study::count_text(arena.threads),
                   study::bytes_text(arena.live), study::bytes_text(arena.free_whole), study::bytes_text(arena.pinned_free),
                   study::bytes_text(arena.largest_free)});
    }
    std::string text = "\n" + table.text(terminal);
    if (arenas.size() > kMostArenas) {
        text += "  and " + study::count_text(arenas.size() - kMostArenas) + " more, which hold less free memory\n";
    }
    return text;
}

nlohmann::ordered_json parts_json(const Examination& look) {
    const study::MemoryParts& parts = look.parts;
    nlohmann::ordered_json json;
    const bool is_walked = look.knowledge == Knowledge::walked;
    const auto known = [&](const char* name, std::uint64_t bytes) {
        json[name] = is_walked ? nlohmann::ordered_json(bytes) : nlohmann::ordered_json(nullptr);
    };
    json["rss"] = look.rss();
    known("live", parts.live);
    known("thread_cached", parts.thread_cached);
    known("trimmable", parts.trimmable);
    known("kept_free", parts.kept_free);
    known("pinned_free", parts.pinned_free);
    known("metadata", parts.metadata);
    known("uncertain", parts.uncertain);
    json["stacks"] = parts.stacks;
    json["files"] = parts.files;
    json["shared"] = parts.shared;
    json["lazy_free"] = parts.lazy_free;
    json["other_anonymous"] = parts.other_anonymous;
    json["other"] = parts.other;
    return json;
}

}  // namespace

std::string doctor_text(const study::Examination& look, const study::Verdict& verdict, bool arenas, const study::Terminal& terminal) {
    std::string text = title(look, terminal) + parts_table(look, terminal);
    if (arenas && !look.arenas.empty()) {
        text += arena_table(look, terminal);
    }
    text += '\n';
    for (const std::string& sentence : verdict.sentences) {
        text += study::wrapped(sentence, terminal.width, 2) + "\n";
    }
    if (!verdict.fix.empty()) {
        text += study::wrapped("-> " + verdict.fix, terminal.width, 3) + "\n";
    }
    return text;
}

std::string doctor_line(const study::Examination& look, double seconds) {
    const study::MemoryParts& parts = look.parts;
    std::string text = study::duration_text(static_cast<std::uint64_t>(seconds * 1e9)) + "  rss " + study::bytes_text(look.rss());
    if (look.knowledge == Knowledge::walked) {
        text += "  live " + study::bytes_text(parts.live) + "  cached " + study::bytes_text(parts.thread_cached) + "  trimmable " +
                study::bytes_text(parts.trimmable) + "  kept " + study::bytes_text(parts.kept_free) + "  pinned " +
                study::bytes_text(parts.pinned_free);
    }
    return text + "  other " + study::bytes_text(look.rss() - parts.heap()) + "\n";
}

std::string doctor_json(const study::Examination& look, const study::Verdict& verdict, const study::Examination* before, double seconds) {
    nlohmann::ordered_json json = parts_json(look);
    json["pid"] = look.pid;
    json["name"] = look.name;
    json["executable"] = look.executable;
    json["threads"] = look.threads;
    json["allocator"] = study::name_of(look.allocator);
    json["allocator_file"] = look.allocator_file;
    json["estimate"] = look.knowledge == Knowledge::estimated;
    json["caveat"] = look.caveat;
    json["kernel_rss"] = look.status_rss;
    json["swapped"] = look.swapped;
    json["huge_pages"] = look.huge_pages;
    json["files_code"] = look.files_code;
    json["files_private"] = look.files_private;
    json["live_mapped"] = look.live_mapped;
    json["live_blocks"] = look.live_blocks;
    json["fast_blocks"] = look.fast_blocks;
    json["thread_caches"] = look.thread_caches;
    json["arenas"] = nlohmann::ordered_json::array();
    for (const study::ArenaFigures& arena : look.arenas) {
        json["arenas"].push_back({{"main", arena.is_main},
                                  {"heaps", arena.heaps},
                                  {"threads", arena.threads},
                                  {"live", arena.live},
                                  {"free_whole", arena.free_whole},
                                  {"pinned_free", arena.pinned_free},
                                  {"largest_free", arena.largest_free}});
    }
    json["descendants"] = nlohmann::ordered_json::array();
    for (const study::doctor::Descendant& process : look.descendants) {
        json["descendants"].push_back({{"pid", process.pid}, {"name", process.name}, {"rss", process.rss_bytes}});
    }
    json["verdict"] = {{"kind", study::name_of(verdict.kind)}, {"sentences", verdict.sentences}, {"fix", verdict.fix}};
    if (before != nullptr) {
        json["before"] = parts_json(*before);
        json["seconds"] = seconds;
    }
    return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace heapwright::cli
