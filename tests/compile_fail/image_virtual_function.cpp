// A table of functions has another address in each run.
// expect: neither virtual functions
#include <heapwright/image.hpp>

struct Shape {
    double area;
#ifndef HEAPWRIGHT_CONTROL
    virtual double doubled() const { return 2 * area; }
    double padding;
    static constexpr heapwright::ImageMembers<&Shape::area, &Shape::padding> kImageMembers{};
#else
    static constexpr heapwright::ImageMembers<&Shape::area> kImageMembers{};
#endif
};
static_assert(heapwright::kImageSchema<Shape> != 0);
