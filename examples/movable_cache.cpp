// How do I keep a cache whose values change their sizes from holding twice the memory that is in it?
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include <heapwright/handle.hpp>

namespace {

using heapwright::Borrow;
using heapwright::MovableHeap;
using heapwright::MovableString;

/// The newest values by their keys. An entry is as small as its text; it may be moved at any time nobody looks.
class Cache {
public:
    Cache(MovableHeap& heap, std::size_t entries) : heap_(heap), values_(entries) {}

    bool put(std::uint64_t key, const std::string& value) { return values_[key % values_.size()].assign(heap_, value).has_value(); }
    void drop(std::uint64_t key) { values_[key % values_.size()].clear(); }

    std::size_t bytes() const {
        const Borrow borrow(heap_);  // for the whole look: nothing moves meanwhile
        std::size_t sum = 0;
        for (const MovableString& value : values_) {
            sum += value.in(borrow).size();
        }
        return sum;
    }

private:
    MovableHeap& heap_;
    std::vector<MovableString> values_;
};

}  // namespace

int main() {
    MovableHeap heap;
    Cache cache(heap, 40'000);
    for (std::uint64_t key = 0; key < 40'000; ++key) {
        if (!cache.put(key, std::string(100 + key % 400, 'a'))) {
            return 1;
        }
    }
    for (std::uint64_t key = 0; key < 40'000; ++key) {
        if (key % 10 != 0) {
            cache.drop(key);
        }
    }
    const std::size_t before = heap.stats().resident_bytes;
    const auto result = heap.compact();  // or a little at a time: heap.compact(200'000)
    const std::size_t after = heap.stats().resident_bytes;
    std::printf("%zu KiB of text in %zu KiB; after moving %zu KiB of it together, in %zu KiB\n", cache.bytes() >> 10, before >> 10,
                result ? result->moved_bytes >> 10 : 0, after >> 10);
    return before > 5 * cache.bytes() && after < cache.bytes() * 5 / 4 ? 0 : 1;
}
