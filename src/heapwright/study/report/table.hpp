// Rows of text in aligned columns, one of which takes whatever width is left.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include <heapwright/study/report/terminal.hpp>

namespace heapwright::study {

/// Collects rows, then writes them.
///
/// Example:
///   Table table({{"bytes", Table::Align::right}, {"where", Table::Align::flexible}});
///   table.add({"4.0 KiB", "main"});
///   out += table.text(terminal);
class Table {
public:
    enum class Align : std::uint8_t {
        left,
        right,
        flexible  ///< left, and shortened so that the row fits; at most one column
    };
    struct Column {
        std::string title;
        Align align = Align::left;
    };

    explicit Table(std::vector<Column> columns, std::size_t indent = 2) : columns_(std::move(columns)), indent_(indent) {}

    /// Requires: as many cells as columns (checked). Cells are made harmless.
    void add(std::vector<std::string> cells, Ink ink = Ink::plain);

    /// A line below the last row, from the second column on: more about the same thing, shortened to the terminal's width.
    void add_note(std::string text, Ink ink = Ink::faint);

    [[nodiscard]] bool empty() const { return rows_.empty(); }
    [[nodiscard]] std::string text(const Terminal& terminal) const;

private:
    struct Row {
        std::vector<std::string> cells;
        Ink ink = Ink::plain;
        bool note = false;  // one cell
    };

    [[nodiscard]] std::vector<std::size_t> widths(const Terminal& terminal) const;

    std::vector<Column> columns_;
    std::vector<Row> rows_;
    std::size_t indent_;
};

}  // namespace heapwright::study
