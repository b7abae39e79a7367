// How do I remember something about objects that I do not own, without keeping them alive or leaking what I remember?
#include <cstdint>
#include <cstdio>

#include <heapwright/own/gc/make.hpp>
#include <heapwright/own/gc/root.hpp>
#include <heapwright/own/gc/weak.hpp>

namespace gc = heapwright::gc;

namespace {

struct Picture {
    static constexpr bool gc_leaf = true;
    explicit Picture(std::uint64_t its_seed) : seed(its_seed) {}
    std::uint64_t seed;
};

/// Knows the picture it was made of: in an ordinary map, that alone would keep the entry for ever.
struct Thumbnail {
    explicit Thumbnail(gc::Ptr<Picture> its_source) : source(its_source), sum(its_source->seed * 31) {}
    void trace(gc::Tracer& tracer) const { tracer(source); }
    gc::Ptr<Picture> source;
    std::uint64_t sum;
};

struct Cache {
    gc::Ptr<Thumbnail> thumbnail_of(gc::Heap& heap, gc::Ptr<Picture> picture) {
        if (auto known = thumbnails.find(picture)) {
            ++hits;
            return known;
        }
        auto made = gc::make<Thumbnail>(heap, picture);
        thumbnails.insert(heap, picture, made);
        return made;
    }
    void trace(gc::Tracer& tracer) const { tracer(thumbnails); }

    gc::WeakMap<Picture, Thumbnail> thumbnails;
    std::uint64_t hits = 0;
};

}  // namespace

int main() {
    gc::Heap heap{{.stack = gc::StackScan::none}};
    gc::Root<Cache> cache{heap, gc::make<Cache>(heap)};
    gc::Root<Picture> shown{heap, gc::make<Picture>(heap, 7U)};
    for (std::uint64_t number = 0; number < 1000; ++number) {
        gc::Root<Picture> passing{heap, gc::make<Picture>(heap, number)};
        cache->thumbnail_of(heap, passing);
        cache->thumbnail_of(heap, shown);
    }
    const std::size_t before = cache->thumbnails.size();
    heap.collect();
    const std::size_t after = cache->thumbnails.size();
    std::printf("%zu thumbnails, %zu after a collection, %llu hits\n", before, after, static_cast<unsigned long long>(cache->hits));
    return before == 1001 && after == 1 && cache->thumbnails.find(shown)->sum == 7 * 31 ? 0 : 1;
}
