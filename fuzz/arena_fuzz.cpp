// Feeds an arena marks, rewinds, growth in place, resets and trims, made of the input's bytes: steps of three bytes each.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "alloc_steps.hpp"

#include <heapwright/alloc/arena/arena.hpp>

namespace {

using heapwright::Layout;
using namespace heapwright::fuzz;

/// An arena's own steps: marks, rewinds, growth in place, reset, trim.
void play_arena(Source& source, Steps steps) {
    heapwright::Arena arena{source, {.first_chunk_bytes = 256, .largest_chunk_bytes = 4096}};
    struct Moment {
        heapwright::Arena::Mark mark;
        std::size_t live;
    };
    std::vector<Live> live;
    std::vector<Moment> marks;
    while (steps.next()) {
        const Layout layout{.size = steps.first, .alignment = std::size_t{1} << (steps.second % 8)};
        source.refuses = (steps.act & 0x40) != 0;
        switch (steps.act % 8) {
            case 0: marks.push_back({arena.mark(), live.size()}); break;
            case 1:
                if (!marks.empty()) {
                    marks.resize(1 + steps.first % marks.size());
                    arena.rewind(marks.back().mark);
                    live.resize(marks.back().live);
                }
                break;
            case 2:
                if (steps.first < 8) {
                    arena.reset();
                    live.clear();
                    marks.clear();
                }
                break;
            case 3:
                if (!live.empty() && marks.empty()) {
                    Live& last = live.back();
                    check_contents(last);
                    auto* const moved =
                        static_cast<unsigned char*>(arena.try_reallocate(last.block, last.layout, last.layout.size + steps.first));
                    if (moved != nullptr) {
                        last.block = moved;
                        last.layout.size += steps.first;
                        std::memset(moved, last.mark, last.layout.size);
                    }
                }
                break;
            case 4: static_cast<void>(arena.trim(steps.first % 101)); break;
            default:
                if (auto* const block =
                        static_cast<unsigned char*>(steps.act % 2 == 0 ? arena.try_allocate_fixed<24, 8>() : arena.try_allocate(layout))) {
                    const Layout given = steps.act % 2 == 0 ? Layout{.size = 24, .alignment = 8} : layout;
                    must(heapwright::is_aligned(block, given.alignment));
                    std::memset(block, steps.act, given.size);
                    live.push_back({block, given, steps.act});
                }
        }
        for (const Live& one : live) {
            check_contents(one);
        }
        must(arena.broken_invariant() == nullptr);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    return play_input(data, size, [](std::uint8_t /*choice*/, Source& source, Steps steps) { play_arena(source, steps); });
}
