// Binary trees: one that stays, and many of every depth that are built, counted and torn down, half of them in a second thread.
#include <bench/malloc/workload.hpp>

namespace {

struct Node {
    Node* left;
    Node* right;
};

Node* build(int depth) {
    auto* node = static_cast<Node*>(workload::given(std::malloc(sizeof(Node))));
    *node = depth == 0 ? Node{nullptr, nullptr} : Node{build(depth - 1), build(depth - 1)};
    return node;
}

/// Counts the nodes while it frees them.
std::uint64_t tear_down(Node* node) {
    std::uint64_t nodes = 1;
    if (node->left != nullptr) {
        nodes += tear_down(node->left) + tear_down(node->right);
    }
    std::free(node);
    return nodes;
}

}  // namespace

int main(int count, char** words) {
    const workload::Scale scale{count, words};
    const std::size_t budget = scale.of(9'000'000, 1000);  // nodes of each depth and thread
    Node* staying = build(budget < 100'000 ? 8 : 17);
    std::uint64_t checksum = workload::in_threads(2, [&](unsigned) {
        std::uint64_t sum = 0;
        for (int depth = 4; depth <= 16; depth += 4) {
            for (std::size_t built = 0; built < budget; built += std::size_t{2} << depth) {
                sum += tear_down(build(depth)) * static_cast<std::uint64_t>(depth);
            }
        }
        return sum;
    });
    checksum += tear_down(staying);
    return workload::finish(checksum);
}
