#include "bounds_text.hpp"

#include <algorithm>
#include <cstdint>

#include <nlohmann/json.hpp>

#include <heapwright/study/report/table.hpp>
#include <heapwright/study/report/units.hpp>

namespace heapwright::cli {
namespace {

using study::bytes_text;
using study::MemoryBounds;
using study::Table;

/// Free memory on pages that hold a block: only moving wins all of it.
std::uint64_t waste_of(const MemoryBounds& bounds) { return bounds.page_floor_bytes - bounds.moved_bytes; }

std::string rows(const std::vector<MemoryBounds>& all, const study::Terminal& terminal) {
    Table table({{"moment", Table::Align::flexible},
                 {"live", Table::Align::right},
                 {"moved", Table::Align::right},
                 {"mesh bound", Table::Align::right},
                 {"meshed", Table::Align::right},
                 {"page floor", Table::Align::right}});
    for (const MemoryBounds& bounds : all) {
        const std::string moment = study::duration_text(bounds.time_ns) + (bounds.label.empty() ? "" : ", " + bounds.label);
        table.add({moment, bytes_text(bounds.live_requested), bytes_text(bounds.moved_bytes), bytes_text(bounds.mesh_bound_bytes),
                   bytes_text(bounds.meshed_bytes), bytes_text(bounds.page_floor_bytes)},
                  bounds.label.empty() ? study::Ink::plain : study::Ink::strong);
    }
    return table.text(terminal);
}

std::string worst_sentence(const std::vector<MemoryBounds>& all) {
    const MemoryBounds& worst = *std::ranges::max_element(all, {}, waste_of);
    if (waste_of(worst) == 0) {
        return "blocks fill their pages at every moment: there is nothing to win by sharing or moving";
    }
    return "worst at " + study::duration_text(worst.time_ns) + ": pages of " + bytes_text(worst.page_floor_bytes) + " hold blocks of " +
           bytes_text(worst.live_requested) + "; sharing pages (compaction = \"mesh\") can win " +
           bytes_text(worst.page_floor_bytes - worst.meshed_bytes) + ", moving blocks " + bytes_text(waste_of(worst));
}

}  // namespace

std::string bounds_text(const std::vector<MemoryBounds>& bounds, const study::Terminal& terminal) {
    const std::string legend =
        "page floor: OS pages with a live byte, where the program's own allocator put them. meshed: if pages share memory "
        "whose blocks do not collide, as a search found; mesh bound: no search finds less. moved: if blocks move until they "
        "lie side by side.";
    return rows(bounds, terminal) + "\n  " + study::wrapped(worst_sentence(bounds), terminal.width, 2) + "\n" +
           study::inked(terminal, study::Ink::faint, "  " + study::wrapped(legend, terminal.width, 2)) + "\n";
}

std::string bounds_json(const std::vector<MemoryBounds>& all) {
    nlohmann::ordered_json json{{"bounds", nlohmann::ordered_json::array()}};
    for (const MemoryBounds& bounds : all) {
        json["bounds"].push_back({{"label", bounds.label},
                                  {"time_ns", bounds.time_ns},
                                  {"live_blocks", bounds.live_blocks},
                                  {"live_bytes", bounds.live_requested},
                                  {"moved_bytes", bounds.moved_bytes},
                                  {"mesh_bound_bytes", bounds.mesh_bound_bytes},
                                  {"meshed_bytes", bounds.meshed_bytes},
                                  {"page_floor_bytes", bounds.page_floor_bytes}});
    }
    return json.dump(1) + "\n";
}

}  // namespace heapwright::cli
