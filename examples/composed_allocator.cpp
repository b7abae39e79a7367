// How do I build an allocator of parts, know what it costs before it runs, and see what went through it?
#include <array>
#include <cstdio>
#include <map>
#include <string>

#include <heapwright/adapt.hpp>
#include <heapwright/pool.hpp>
#include <heapwright/tlsf.hpp>

namespace {

using heapwright::Pool;
using heapwright::Tlsf;

// Small blocks from a pool; larger ones from a heap within a limit, and from the system when that is full.
using Large = heapwright::Fallback<Tlsf, const heapwright::MallocSource>;
using Parts = heapwright::Segregate<64, Pool, Large>;
using Composed = heapwright::Tracked<Parts>;

constexpr auto kWhat = heapwright::description_of<Composed>();
static_assert(heapwright::cost_of<Composed>().locks == 0, "one thread: no lock may creep in");

template <class T>
using Allocator = heapwright::StandardAllocator<T, Composed>;
using Text = std::basic_string<char, std::char_traits<char>, Allocator<char>>;

}  // namespace

int main() {
    static std::array<std::byte, 100'000> memory;
    Pool pool{{.size = 64, .alignment = 16}, heapwright::os::kPages};
    Tlsf heap;
    if (!heap.add_region(memory)) {
        return 1;
    }
    Large large{heap, heapwright::kMalloc};
    Parts parts{pool, large};
    Composed composed{parts};
    {
        std::map<int, Text, std::less<>, Allocator<std::pair<const int, Text>>> texts(composed);
        for (int length = 0; length < 1000; ++length) {
            texts.emplace(length, Text(static_cast<std::size_t>(length), 'x', composed));
        }
    }
    const heapwright::TrackedStats stats = composed.stats();
    std::printf("%.*s\n%llu blocks, at most %zu bytes at one time, %zu of the heap's refusals went to the system\n",
                static_cast<int>(kWhat.view().size()), kWhat.view().data(), static_cast<unsigned long long>(stats.allocations),
                stats.peak_bytes, heap.stats().refusals);
    return stats.live_bytes == 0 && heap.stats().refusals > 0 ? 0 : 1;
}
