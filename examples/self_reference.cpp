// How do I keep an object and what points into it together, so that both may move, be copied as bytes, or outlive a call?
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <heapwright/arena.hpp>
#include <heapwright/cell.hpp>

namespace {

using Words = std::vector<std::string_view>;
using Text = heapwright::SelfRef<std::string, Words>;  // the words point into the text
Words split(const std::string& text) {
    Words words;
    for (std::string_view rest = text; !rest.empty();) {
        const std::size_t space = rest.find(' ');
        words.push_back(rest.substr(0, space));
        rest.remove_prefix(space == std::string_view::npos ? rest.size() : space + 1);
    }
    return words;
}
/// A list in one block, linked by distances of 4 bytes: the block may lie anywhere.
struct Block {
    struct Node {
        int value = 0;
        heapwright::SelfPtr<Node> next;
    };
    Node nodes[3];
    heapwright::SelfPtr<Node> first;
};
int sum(const Block& block) {
    int total = 0;
    for (const Block::Node* node = block.first.get(); node != nullptr; node = node->next.get()) {
        total += node->value;
    }
    return total;
}

}  // namespace

int main() {
    heapwright::Arena arena{heapwright::os::kPages};
    std::vector<Text> texts;
    for (int number = 0; number < 10; ++number) {
        texts.push_back(Text::make(arena, "short text", split));  // the pairs move when the vector grows, text and words do not
    }
    const bool is_whole = texts[0].dependent()[1] == "text" && texts[0].dependent()[0].data() == texts[0].owner().data();

    Block block{{{1, {}}, {2, {}}, {4, {}}}, {}};
    block.first = &block.nodes[2];
    block.nodes[2].next = &block.nodes[0];
    alignas(Block) std::byte elsewhere[sizeof(Block)];
    std::memcpy(elsewhere, static_cast<const void*>(&block), sizeof(Block));
    const int total = sum(*reinterpret_cast<const Block*>(elsewhere));
    std::printf("%zu words; a list of %d in a block of %zu bytes, copied as bytes\n", texts[9].dependent().size(), total, sizeof(Block));
    return is_whole && total == 5 ? 0 : 1;
}
