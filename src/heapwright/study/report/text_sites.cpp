// The sections that are tables of call sites.
#include <algorithm>
#include <functional>

#include <heapwright/study/report/detail/text_sections.hpp>
#include <heapwright/study/report/site_names.hpp>
#include <heapwright/study/report/table.hpp>
#include <heapwright/study/report/units.hpp>

namespace heapwright::study::detail {
namespace {

constexpr std::size_t kChain = 8;
constexpr std::size_t kNoteIndent = 12;  // at least what a table puts before a note

using Value = std::function<std::uint64_t(const Site&)>;
using Cells = std::function<std::vector<std::string>(const Site&)>;

struct SiteTable {
    const char* title;
    std::string remark;
    std::vector<std::string> columns;  ///< of the cells
    Value value;                       ///< sites are sorted by it; those with 0 are left out
    Cells cells;
    const char* none;  ///< said when no site is left
};

std::string mean_text(std::uint64_t sum, std::uint64_t count) { return count == 0 ? "-" : bytes_text(sum / count); }

void add_stack(Table& table, const Findings& findings, const Site& site, std::size_t frames) {
    for (std::size_t i = 0; i < std::min(frames, site.frames.size()); ++i) {
        const Frame& frame = findings.frames[static_cast<std::size_t>(site.frames[i])];
        table.add_note((frame.inlined ? "  inlined " : "  ") + short_function(frame.function) + "  " + place_of(frame), Ink::faint);
    }
}

// "Table::insert at table.cpp:12 < Session::open < main", with as many callers as the line holds.
std::string where_of(const Findings& findings, const Site& site, std::size_t columns) {
    std::string where = label_of(findings, site);
    std::string chain = chain_of(findings, site, kChain);
    chain.erase(0, std::min(chain.find(" < "), chain.size()));
    while (columns_of(where) + columns_of(chain) > columns && !chain.empty()) {
        chain.resize(chain.rfind(" < "));
    }
    return where + chain;
}

std::string written(const Findings& findings, const TextOptions& options, const SiteTable& shape) {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < findings.sites.size(); ++i) {
        if (shape.value(findings.sites[i]) > 0) {
            order.push_back(i);
        }
    }
    std::string text = heading(options, shape.title, shape.remark);
    if (order.empty()) {
        return text + "  " + shape.none + '\n';
    }
    const std::size_t rows = std::min(options.rows, order.size());
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(rows), order.end(), [&](std::size_t a, std::size_t b) {
        const std::uint64_t x = shape.value(findings.sites[a]);
        const std::uint64_t y = shape.value(findings.sites[b]);
        return x != y ? x > y : a < b;
    });
    std::vector<Table::Column> columns = {{"site", Table::Align::right}};
    for (const std::string& column : shape.columns) {
        columns.push_back({column, Table::Align::right});
    }
    Table table(std::move(columns));
    for (std::size_t i = 0; i < rows; ++i) {
        const Site& site = findings.sites[order[i]];
        std::vector<std::string> cells = shape.cells(site);
        cells.insert(cells.begin(), "#" + std::to_string(order[i]));
        table.add(std::move(cells));
        table.add_note(where_of(findings, site, options.terminal.width - kNoteIndent), Ink::strong);
        add_stack(table, findings, site, options.stack_frames);
    }
    text += table.text(options.terminal);
    if (order.size() > rows) {
        text += inked(options.terminal, Ink::faint, "  and " + count_text(order.size() - rows) + " more") + '\n';
    }
    return text;
}

}  // namespace

std::string sites_section(const Findings& findings, const TextOptions& options) {
    const std::uint64_t total = findings.at_peak.live_requested;
    return written(findings, options,
                   {"Sites by bytes live at the peak",
                    exact_bytes_text(total),
                    {"live", "bytes", "share", "blocks", "mean", "own peak", "blocks ever"},
                    [](const Site& site) { return site.live_at_peak.requested_bytes; },
                    [total](const Site& site) -> std::vector<std::string> {
                        const Amount& live = site.live_at_peak;
                        return {bytes_text(live.requested_bytes),
                                count_text(live.requested_bytes),
                                share_text(live.requested_bytes, total),
                                count_text(live.blocks),
                                mean_text(live.requested_bytes, live.blocks),
                                bytes_text(site.peak_bytes),
                                count_text(site.allocations)};
                    },
                    "nothing was live"});
}

std::string leaks_section(const Findings& findings, const TextOptions& options) {
    const Amount& total = findings.totals.leaked;
    return written(findings, options,
                   {"Never freed",
                    exact_bytes_text(total.requested_bytes) + " in " + counted(total.blocks, "block"),
                    {"leaked", "bytes", "share", "blocks", "of ever", "first"},
                    [](const Site& site) { return site.leaked.requested_bytes + site.leaked.blocks; },
                    [&total](const Site& site) -> std::vector<std::string> {
                        const Amount& leaked = site.leaked;
                        return {bytes_text(leaked.requested_bytes),
                                count_text(leaked.requested_bytes),
                                share_text(leaked.requested_bytes, total.requested_bytes),
                                count_text(leaked.blocks),
                                share_text(leaked.blocks, site.allocations),
                                duration_text(site.first_ns)};
                    },
                    "every block was freed"});
}

std::string temporary_section(const Findings& findings, const TextOptions& options) {
    const Totals& totals = findings.totals;
    return written(findings, options,
                   {"Temporary blocks",
                    count_text(totals.temporary) + " of " + counted(totals.allocations, "block") +
                        " were freed before the same thread's next allocation",
                    {"temporary", "of own", "below 1 ms", "mean", "longest"},
                    [](const Site& site) { return site.temporary; },
                    [](const Site& site) -> std::vector<std::string> {
                        return {count_text(site.temporary), share_text(site.temporary, site.allocations), count_text(site.short_lived),
                                mean_text(site.allocated_bytes, site.allocations), duration_text(site.lifetime_ns_max)};
                    },
                    "no block was temporary"});
}

std::string pinned_section(const Findings& findings, const TextOptions& options) {
    const auto table = [&](const char* title, const Fragmentation& moment, std::uint64_t Site::* free, std::uint64_t Site::* pages,
                           Amount Site::* live) {
        return written(findings, options,
                       {title,
                        bytes_text(moment.external_bytes) + " free on " + counted(moment.occupied_pages, "page") + " in use",
                        {"pinned free", "bytes", "share", "its pages", "its live"},
                        [free](const Site& site) { return site.*free; },
                        [=, &moment](const Site& site) -> std::vector<std::string> {
                            return {bytes_text(site.*free), count_text(site.*free), share_text(site.*free, moment.external_bytes),
                                    bytes_text(site.*pages), bytes_text((site.*live).requested_bytes)};
                        },
                        "no site keeps a page in use alone"});
    };
    return table("Pages that one site alone keeps in use, at the peak", findings.at_peak, &Site::pinned_free_bytes_at_peak,
                 &Site::pinned_bytes_at_peak, &Site::live_at_peak) +
           '\n' + table("The same at the end", findings.at_end, &Site::pinned_free_bytes_at_end, &Site::pinned_bytes_at_end, &Site::leaked);
}

std::string reallocs_section(const Findings& findings, const TextOptions& options) {
    return written(findings, options,
                   {"Blocks that grow step by step",
                    counted(findings.totals.reallocs, "resize"),
                    {"copied", "resizes", "chains", "longest", "largest"},
                    [](const Site& site) { return site.realloc_copied_bytes + site.reallocs; },
                    [](const Site& site) -> std::vector<std::string> {
                        return {bytes_text(site.realloc_copied_bytes), count_text(site.reallocs), count_text(site.realloc_chains),
                                count_text(site.realloc_chain_max), bytes_text(site.max_size)};
                    },
                    "no block was resized"});
}

std::string aligned_section(const Findings& findings, const TextOptions& options) {
    return written(findings, options,
                   {"Requests for more than 16-byte alignment",
                    counted(findings.totals.over_aligned, "request"),
                    {"requests", "of own", "usable", "requested"},
                    [](const Site& site) { return site.over_aligned; },
                    [](const Site& site) -> std::vector<std::string> {
                        return {count_text(site.over_aligned), share_text(site.over_aligned, site.allocations),
                                bytes_text(site.allocated_usable_bytes), bytes_text(site.allocated_bytes)};
                    },
                    "there was none"});
}

std::string cross_thread_section(const Findings& findings, const TextOptions& options) {
    return written(findings, options,
                   {"Blocks that another thread freed",
                    counted(findings.totals.cross_thread_frees, "block"),
                    {"freed elsewhere", "of own", "threads", "mean"},
                    [](const Site& site) { return site.cross_thread_frees; },
                    [](const Site& site) -> std::vector<std::string> {
                        return {count_text(site.cross_thread_frees), share_text(site.cross_thread_frees, site.allocations),
                                count_text(site.threads), mean_text(site.allocated_bytes, site.allocations)};
                    },
                    "every block was freed by its own thread"});
}

std::string local_section(const Findings& findings, const TextOptions& options) {
    return written(findings, options,
                   {"Blocks freed in the function that allocated them",
                    "candidates for the stack",
                    {"blocks", "of own", "mean", "largest"},
                    [](const Site& site) { return site.same_frame; },
                    [](const Site& site) -> std::vector<std::string> {
                        return {count_text(site.same_frame), share_text(site.same_frame, site.allocations),
                                mean_text(site.allocated_bytes, site.allocations), bytes_text(site.max_size)};
                    },
                    "there was none"});
}

}  // namespace heapwright::study::detail
