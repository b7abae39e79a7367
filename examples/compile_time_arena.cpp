// How do I use the same arena while the program is compiled?
#include <array>
#include <cstdio>
#include <span>
#include <string_view>

#include <heapwright/alloc/arena/arena.hpp>

namespace {

struct Word {
    std::string_view text;
    const Word* next;
};

/// Counts the different words of a text, with a list in an arena over a buffer.
constexpr int different_words(std::string_view text) {
    std::array<std::byte, 1024> buffer{};
    heapwright::Arena arena{std::span<std::byte>{buffer}};
    const Word* words = nullptr;
    int count = 0;
    while (!text.empty()) {
        const std::size_t length = text.find(' ') == std::string_view::npos ? text.size() : text.find(' ');
        const std::string_view word = text.substr(0, length);
        const Word* known = words;
        while (known != nullptr && known->text != word) {
            known = known->next;
        }
        if (known == nullptr) {
            words = &arena.create<Word>(arena.copy(word), words);
            ++count;
        }
        text.remove_prefix(length == text.size() ? length : length + 1);
    }
    return count;
}

static_assert(different_words("to be or not to be") == 4);

}  // namespace

int main() {
    std::printf("%d different words\n", different_words("the same code at run time is the same code"));
    return different_words("the same code at run time is the same code") == 7 ? 0 : 1;
}
