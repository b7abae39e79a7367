// How do I keep every version of a document for undo, and copy only what an edit really changed?
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include <heapwright/arena.hpp>
#include <heapwright/cell.hpp>

namespace {

using Lines = heapwright::PersistentVector<std::string>;

/// Tabs become blanks; most lines have none, and those are not copied.
heapwright::Cow<std::string> without_tabs(std::string_view line) {
    auto result = heapwright::Cow<std::string>::borrow(line);
    for (std::size_t tab = line.find('\t'); tab != std::string_view::npos; tab = line.find('\t', tab + 1)) {
        result.to_mut()[tab] = ' ';
    }
    return result;
}

}  // namespace

int main() {
    heapwright::Arena arena{heapwright::os::kPages};
    Lines document{arena};
    std::size_t copied = 0;
    for (int number = 0; number < 20'000; ++number) {
        const std::string read = (number % 100 == 0 ? "\tline " : "line ") + std::to_string(number);
        heapwright::Cow<std::string> line = without_tabs(read);
        copied += line.is_owned() ? 1U : 0U;
        document.push_back(std::move(line).into_owned());
    }
    const std::size_t before = document.footprint().bytes;

    std::vector<Lines> history;  // each version is whole, and none costs more than its edits
    for (int edit = 0; edit < 100; ++edit) {
        history.push_back(document);
        document.edit(static_cast<std::size_t>(edit) * 150) += " (edited)";
    }
    std::size_t extra = 0;
    for (const Lines& version : history) {
        const heapwright::VersionFootprint footprint = version.footprint();
        extra += footprint.bytes - footprint.shared_bytes;
    }
    std::printf("%zu bytes of nodes; 100 versions more have %zu bytes each for themselves\n", before, extra / history.size());

    document = history[50];  // undo fifty edits: O(1)
    const bool is_undone = document[49 * 150].ends_with("(edited)") && !document[50 * 150].ends_with("(edited)");
    return copied == 200 && is_undone && extra / history.size() < before / 100 ? 0 : 1;
}
