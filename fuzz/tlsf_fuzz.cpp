// Feeds a TLSF heap requests of any size made of the input's bytes; the first byte chooses fixed regions or a source.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "alloc_steps.hpp"

#include <heapwright/alloc/tlsf/tlsf.hpp>

namespace {

using heapwright::Layout;
using namespace heapwright::fuzz;

/// A heap in two regions that come and go, with blocks that change their size.
void play_tlsf(Steps steps) {
    alignas(16) static std::array<std::array<std::byte, 3000>, 2> regions;
    heapwright::SmallTlsf heap;
    std::vector<Live> live;
    while (steps.next()) {
        const Layout layout{.size = std::size_t{steps.first} << (steps.second % 4), .alignment = std::size_t{1} << (steps.second / 16 % 8)};
        const std::size_t chosen = live.empty() ? 0 : steps.first % live.size();
        switch (steps.act % 8) {
            case 0: static_cast<void>(heap.add_region({regions[steps.first % 2].data() + steps.second % 8, 2900})); break;
            case 1: static_cast<void>(heap.remove_region(regions[steps.first % 2].data() + 1500)); break;
            case 2:
            case 3:
                if (!live.empty()) {
                    check_contents(live[chosen]);
                    heap.deallocate(live[chosen].block, live[chosen].layout);
                    live[chosen] = live.back();
                    live.pop_back();
                }
                break;
            case 4:
                if (!live.empty()) {
                    Live& one = live[chosen];
                    check_contents(one);
                    const std::size_t size = std::size_t{steps.second} * 4;
                    if (auto* const moved = static_cast<unsigned char*>(heap.try_reallocate(one.block, one.layout, size))) {
                        one = {
                            moved, {.size = size < one.layout.size ? size : one.layout.size, .alignment = one.layout.alignment}, one.mark};
                        check_contents(one);
                        one.layout.size = size;
                        std::memset(moved, one.mark, size);
                    }
                }
                break;
            default:
                if (auto* const block = static_cast<unsigned char*>(heap.try_allocate(layout))) {
                    must(heapwright::is_aligned(block, layout.alignment));
                    std::memset(block, steps.act, layout.size);
                    live.push_back({block, layout, steps.act});
                }
        }
        must(heap.broken_invariant() == nullptr && heap.stats().live_blocks == live.size());
    }
    for (const Live& one : live) {
        check_contents(one);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    return play_input(data, size, [](std::uint8_t choice, Source& source, Steps steps) {
        if (choice % 2 == 0) {
            play_tlsf(steps);
        } else {
            heapwright::Tlsf heap{source, {.region_bytes = 4096}};
            play(heap, source, steps);
        }
    });
}
