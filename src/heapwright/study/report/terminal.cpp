#include <heapwright/study/report/terminal.hpp>

#include <algorithm>
#include <cstdlib>

#include <sys/ioctl.h>
#include <unistd.h>

namespace heapwright::study {
namespace {

constexpr std::size_t kNarrowest = 60;
constexpr std::size_t kWidest = 200;

std::string_view variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string_view{} : value;
}

// A locale that was chosen and is not UTF-8. None chosen says nothing, and terminals are UTF-8 by now.
bool locale_is_ascii() {
    for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
        const std::string_view value = variable(name);
        if (!value.empty()) {
            return value.find("UTF-8") == std::string_view::npos && value.find("utf8") == std::string_view::npos &&
                   value.find("UTF8") == std::string_view::npos && value.find("utf-8") == std::string_view::npos;
        }
    }
    return false;
}

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U; }

// Bytes of the first `columns` characters.
std::size_t bytes_of_head(std::string_view text, std::size_t columns) {
    std::size_t at = 0;
    while (at < text.size() && columns > 0) {
        ++at;
        while (at < text.size() && continues_character(text[at])) {
            ++at;
        }
        --columns;
    }
    return at;
}

}  // namespace

Terminal detect_terminal(int fd) {
    Terminal terminal;
    const bool is_terminal = isatty(fd) == 1;
    const bool dumb = variable("TERM") == "dumb";
    terminal.colour = is_terminal && variable("NO_COLOR").empty() && !dumb;
    terminal.unicode = !locale_is_ascii() && !(is_terminal && dumb);
    winsize size{};
    const std::string_view columns = variable("COLUMNS");
    std::size_t width = 0;
    if (is_terminal && ioctl(fd, TIOCGWINSZ, &size) == 0) {
        width = size.ws_col;
    } else if (!columns.empty()) {
        width = std::strtoul(columns.data(), nullptr, 10);
    }
    if (width > 0) {
        terminal.width = std::clamp(width, kNarrowest, kWidest);
    }
    return terminal;
}

std::string inked(const Terminal& terminal, Ink ink, std::string_view text) {
    if (!terminal.colour || ink == Ink::plain) {
        return std::string(text);
    }
    const char* code = "";
    switch (ink) {
        case Ink::plain: break;
        case Ink::strong: code = "\x1b[1m"; break;
        case Ink::faint: code = "\x1b[2m"; break;
        case Ink::good: code = "\x1b[32m"; break;
        case Ink::warning: code = "\x1b[33m"; break;
        case Ink::bad: code = "\x1b[31m"; break;
    }
    return code + std::string(text) + "\x1b[0m";
}

std::size_t columns_of(std::string_view text) {
    std::size_t columns = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\x1b') {
            i = std::min(text.find('m', i), text.size() - 1);
        } else if (!continues_character(text[i])) {
            ++columns;
        }
    }
    return columns;
}

std::string harmless(std::string_view text) {
    std::string clean(text);
    for (std::size_t i = 0; i < clean.size(); ++i) {
        const auto byte = static_cast<unsigned char>(clean[i]);
        const bool c1_control = byte == 0xc2U && i + 1 < clean.size() && static_cast<unsigned char>(clean[i + 1]) < 0xa0U;
        if (byte < 0x20U || byte == 0x7fU || c1_control) {
            clean[i] = '?';
        }
        if (c1_control) {
            clean[++i] = '?';
        }
    }
    return clean;
}

std::string shortened(std::string_view text, std::size_t columns) {
    if (columns_of(text) <= columns) {
        return std::string(text);
    }
    if (columns <= 3) {
        return std::string(columns, '.');
    }
    const std::size_t tail_columns = (columns - 3) / 2;
    const std::size_t head_columns = columns - 3 - tail_columns;
    std::size_t tail = text.size();
    for (std::size_t left = tail_columns; left > 0 && tail > 0; --left) {
        --tail;
        while (tail > 0 && continues_character(text[tail])) {
            --tail;
        }
    }
    return std::string(text.substr(0, bytes_of_head(text, head_columns))) + "..." + std::string(text.substr(tail));
}

std::string wrapped(std::string_view text, std::size_t width, std::size_t indent) {
    std::string out;
    std::size_t column = 0;
    while (!text.empty()) {
        const std::size_t space = text.find(' ');
        const std::string_view word = text.substr(0, space);
        text = space == std::string_view::npos ? std::string_view{} : text.substr(space + 1);
        const std::size_t word_columns = columns_of(word);
        const bool after_number = !out.empty() && out.back() >= '0' && out.back() <= '9';  // a figure keeps its unit
        if (column > indent && column + 1 + word_columns > width && !after_number) {
            out += '\n' + std::string(indent, ' ');
            column = indent;
        } else if (!out.empty()) {
            out += ' ';
            ++column;
        }
        out += word;
        column += word_columns;
    }
    return out;
}

}  // namespace heapwright::study
