#include <heapwright/study/report/table.hpp>

#include <algorithm>
#include <utility>

#include <heapwright/base/check.hpp>

namespace heapwright::study {
namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kNarrowestFlexible = 24;

void drop_trailing_spaces(std::string& text) {
    while (text.ends_with(' ')) {
        text.pop_back();
    }
}

}  // namespace

void Table::add(std::vector<std::string> cells, Ink ink) {
    HEAPWRIGHT_CHECK(cells.size() == columns_.size(), "a row has as many cells as the table has columns");
    for (std::string& cell : cells) {
        cell = harmless(cell);
    }
    rows_.push_back({std::move(cells), ink, false});
}

void Table::add_note(std::string text, Ink ink) { rows_.push_back({{harmless(text)}, ink, true}); }

std::vector<std::size_t> Table::widths(const Terminal& terminal) const {
    std::vector<std::size_t> widths;
    std::size_t taken = indent_;
    std::size_t flexible = columns_.size();
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        std::size_t width = columns_of(columns_[i].title);
        for (const Row& row : rows_) {
            if (!row.note) {
                width = std::max(width, columns_of(row.cells[i]));
            }
        }
        widths.push_back(width);
        taken += width + (i == 0 ? 0 : kGap);
        flexible = columns_[i].align == Align::flexible ? i : flexible;
    }
    if (flexible < columns_.size() && taken > terminal.width) {
        const std::size_t others = taken - widths[flexible];
        const std::size_t left = terminal.width > others ? terminal.width - others : 0;
        widths[flexible] = std::max(left, kNarrowestFlexible);
    }
    return widths;
}

std::string Table::text(const Terminal& terminal) const {
    const std::vector<std::size_t> width = widths(terminal);
    const std::size_t note_indent = indent_ + width[0] + kGap;
    std::string out;
    const auto line = [&](const std::vector<std::string>& cells, Ink ink) {
        std::string text(indent_, ' ');
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            const std::string cell = columns_[i].align == Align::flexible ? shortened(cells[i], width[i]) : cells[i];
            const std::string padding(width[i] - std::min(width[i], columns_of(cell)), ' ');
            text += i == 0 ? "" : std::string(kGap, ' ');
            text += columns_[i].align == Align::right ? padding + cell : cell + padding;
        }
        drop_trailing_spaces(text);
        out += inked(terminal, ink, text) + '\n';
    };
    std::vector<std::string> titles;
    for (const Column& column : columns_) {
        titles.push_back(column.title);
    }
    line(titles, Ink::faint);
    for (const Row& row : rows_) {
        if (row.note) {
            const std::size_t left = terminal.width > note_indent ? terminal.width - note_indent : 0;
            out += inked(terminal, row.ink, std::string(note_indent, ' ') + shortened(row.cells[0], std::max(left, kNarrowestFlexible))) +
                   '\n';
        } else {
            line(row.cells, row.ink);
        }
    }
    return out;
}

}  // namespace heapwright::study
