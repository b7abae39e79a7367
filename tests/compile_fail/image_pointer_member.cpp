// An address of this run means nothing in a file of the next.
// expect: a pointer means nothing in a file
#include <heapwright/image.hpp>

struct Node {
    int value;
#ifdef HEAPWRIGHT_CONTROL
    heapwright::ImageRef<Node> next;
#else
    Node* next;
#endif
    static constexpr heapwright::ImageMembers<&Node::value, &Node::next> kImageMembers{};
};
static_assert(heapwright::kImageSchema<Node> != 0);
