// A struct without a list of members may hold anything.
// expect: structs with a kImageMembers list
#include <heapwright/image.hpp>

struct Point {
    int x;
    int y;
#ifdef HEAPWRIGHT_CONTROL
    static constexpr heapwright::ImageMembers<&Point::x, &Point::y> kImageMembers{};
#endif
};
static_assert(heapwright::kImageSchema<heapwright::ImageVector<Point>> != 0);
