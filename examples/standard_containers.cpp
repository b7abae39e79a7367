// How do I put a standard container on each of the allocators, with and without std::pmr?
#include <array>
#include <cstdio>
#include <list>
#include <map>
#include <memory_resource>
#include <string>
#include <vector>

#include <heapwright/adapt.hpp>
#include <heapwright/arena.hpp>
#include <heapwright/pool.hpp>
#include <heapwright/tlsf.hpp>

namespace {

using heapwright::Arena;
using heapwright::MultiPool;
using heapwright::Pool;
using heapwright::StandardAllocator;
using heapwright::Tlsf;

// The type names its allocator: no virtual call, and on an arena giving back costs nothing.
template <class T>
using ArenaVector = std::vector<T, StandardAllocator<T, Arena>>;
template <class T>
using PoolList = std::list<T, StandardAllocator<T, Pool>>;
template <class Key, class T>
using TlsfMap = std::map<Key, T, std::less<>, StandardAllocator<std::pair<const Key, T>, Tlsf>>;

}  // namespace

int main() {
    Arena arena{heapwright::os::kPages};
    ArenaVector<int> numbers(arena);
    Pool pool{{.size = 48, .alignment = 8}, heapwright::os::kPages};  // a list's node: two links and the element
    PoolList<double> samples(pool);
    Tlsf heap{heapwright::os::kPages};
    TlsfMap<int, int> squares(heap);
    for (int number = 0; number < 1000; ++number) {
        numbers.push_back(number);
        samples.push_back(number * 0.5);
        squares[number] = number * number;
    }
    // The type stays std::pmr's: any allocator becomes a resource.
    static constexpr std::array<heapwright::SizeClassOptions, 4> kClasses{{{32}, {64}, {256}, {65536}}};
    MultiPool sizes{kClasses, heapwright::os::kPages};
    heapwright::Resource resource{sizes};
    std::pmr::vector<std::pmr::string> words{&resource};
    for (int number = 0; number < 100; ++number) {
        words.emplace_back("a word that is too long for the small buffer");
    }
    std::printf("%zu numbers, %zu samples, %d, %zu words in %zu bytes\n", numbers.size(), samples.size(), squares[999], words.size(),
                sizes.stats().all.requested_bytes);
    return squares[999] == 998'001 && pool.stats().live_blocks == 1000 ? 0 : 1;
}
