// How do several owners share one resource, change it without surprising each other, and know when it is gone?
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include <heapwright/rc.hpp>

namespace {

using heapwright::Arc;
using heapwright::Rc;
using heapwright::RcView;
using heapwright::WeakRc;

struct Texture {
    std::string name;
    std::vector<unsigned char> pixels;
};

struct Sprite {
    Rc<Texture> texture;  // 8 bytes; the texture has 8 bytes more for its counts
    int x = 0;
};

}  // namespace

int main() {
    bool is_right = true;
    WeakRc<Texture> watched;
    std::vector<Sprite> sprites;
    {
        Rc<Texture> grass = heapwright::make_rc<Texture>(Texture{"grass", std::vector<unsigned char>(64 * 64, 7)});
        watched = grass;
        for (int x = 0; x < 100; ++x) {
            sprites.push_back({.texture = grass, .x = x});
        }
        is_right &= grass.strong_count() == 101;
    }
    // One sprite wants its own shade: what is shared is copied first, and what is not is changed in place.
    sprites[3].texture.make_mut().pixels[0] = 9;
    is_right &= sprites[3].texture->pixels[0] == 9 && sprites[4].texture->pixels[0] == 7;

    // A view keeps the texture and points into it.
    const RcView<unsigned char, Texture> first_pixel{sprites[4].texture, &sprites[4].texture->pixels[0]};
    sprites.clear();
    is_right &= *first_pixel == 7 && watched.upgrade() == first_pixel.owner();
    std::printf("%s is kept by a view of one of its %zu pixels\n", first_pixel.owner()->name.c_str(), first_pixel.owner()->pixels.size());

    // Between threads the same with Arc; a result that nobody shares any more can be taken out.
    Arc<std::string> result = heapwright::make_arc<std::string>("done");
    auto taken = std::move(result).try_unwrap();
    is_right &= taken.has_value() && *taken == "done";
    return is_right ? 0 : 1;
}
