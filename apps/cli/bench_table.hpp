// Runs of one thing under several allocators, side by side: as a table and as JSON.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <heapwright/study/paired/signed_rank.hpp>
#include <heapwright/study/report/terminal.hpp>

namespace heapwright::cli {

/// What runs are compared by; less is better in all of them.
struct BenchFigure {
    enum class Unit : std::uint8_t { ns, bytes, ratio };
    std::string title;  ///< "peak RSS"
    std::string key;    ///< of the JSON: "peak_rss_bytes"
    Unit unit = Unit::ns;
};

/// An allocator and its runs, those of one round at the same place in every row.
struct BenchRow {
    std::string label;
    std::string apply;                        ///< what to put before a command to have it; empty: nothing
    std::vector<std::vector<double>> values;  ///< for each figure, for each run
    std::string failure;                      ///< why it has no figures; empty: it has
};

struct BenchTable {
    std::string title;  ///< what was run
    std::vector<BenchFigure> figures;
    std::vector<BenchRow> rows;  ///< the first that has figures is what the others are compared with
    unsigned rounds = 0;
};

/// Medians, each beside its change from the first row; "=" where chance explains it. Below: what failed, and the best of each column.
[[nodiscard]] std::string bench_text(const BenchTable& table, const study::Terminal& terminal);

[[nodiscard]] std::string bench_json(const BenchTable& table);

}  // namespace heapwright::cli
