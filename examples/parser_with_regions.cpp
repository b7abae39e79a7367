// How do I build a tree in an arena, and take back what a parser made on a way that turned out wrong?
#include <cstdio>
#include <string_view>

#include <heapwright/arena.hpp>

namespace {

struct Node {
    char kind;  // a digit, '+' or '*'
    const Node* left;
    const Node* right;
};

struct Parser {
    heapwright::Arena& arena;
    std::string_view text;
    const Node* sum() { return binary('+', &Parser::product); }
    const Node* product() { return binary('*', &Parser::digit); }
    const Node* digit() {
        const bool is_digit = !text.empty() && '0' <= text[0] && text[0] <= '9';
        return is_digit ? &arena.create<Node>(take(), nullptr, nullptr) : nullptr;
    }

    /// `a op b op c ...`; an operator without an operand behind it is left where it was.
    const Node* binary(char op, const Node* (Parser::*operand)()) {
        const Node* left = (this->*operand)();
        while (left != nullptr && !text.empty() && text[0] == op) {
            const auto before = arena.mark();
            const std::string_view rest = text;
            Node& node = arena.create<Node>(take(), left, nullptr);
            node.right = (this->*operand)();
            if (node.right == nullptr) {
                arena.rewind(before);  // the node and all below it
                text = rest;
                break;
            }
            left = &node;
        }
        return left;
    }
    char take() {
        const char first = text[0];
        text.remove_prefix(1);
        return first;
    }
};

int value(const Node& at) {
    return at.kind == '+' ? value(*at.left) + value(*at.right) : at.kind == '*' ? value(*at.left) * value(*at.right) : at.kind - '0';
}

}  // namespace

int main() {
    heapwright::InlineArena<1024> arena{heapwright::os::kPages};  // small texts need no chunk at all
    const Node* const tree = Parser{arena, "1+2*3+4*"}.sum();     // the last operator leads nowhere
    std::printf("1+2*3+4 = %d in %zu bytes\n", value(*tree), arena.stats().used_bytes);
    return value(*tree) == 11 ? 0 : 1;
}
