// What is not listed is not checked, and a reference that is not checked may lead anywhere.
// expect: kImageMembers lists all members
#include <heapwright/image.hpp>

struct Node {
    heapwright::ImageString name;
    heapwright::ImageRef<Node> next;
#ifdef HEAPWRIGHT_CONTROL
    static constexpr heapwright::ImageMembers<&Node::name, &Node::next> kImageMembers{};
#else
    static constexpr heapwright::ImageMembers<&Node::name> kImageMembers{};
#endif
};
static_assert(heapwright::kImageSchema<Node> != 0);
