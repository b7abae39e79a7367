// A mapped image is for reading.
// expect: ++image->value
#include <heapwright/image.hpp>

struct Counter {
    int value;
    static constexpr heapwright::ImageMembers<&Counter::value> kImageMembers{};
};
int touch(heapwright::Image<Counter>& image) {
#ifdef HEAPWRIGHT_CONTROL
    return image->value;
#else
    return ++image->value;
#endif
}
