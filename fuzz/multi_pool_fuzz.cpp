// Feeds a MultiPool takes and frees of any size, made of the input's bytes; the first byte says how far classes borrow.
#include <array>
#include <cstddef>
#include <cstdint>

#include "alloc_steps.hpp"

#include <heapwright/alloc/pool/multi_pool.hpp>

using namespace heapwright::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    return play_input(data, size, [](std::uint8_t choice, Source& source, Steps steps) {
        static constexpr std::array<heapwright::SizeClassOptions, 4> kClasses{{{16}, {64}, {256}, {2048, 20}}};
        heapwright::MultiPool pool{kClasses, source, {.borrow_classes = choice % 4U, .spare_bytes = 4096}};
        play(pool, source, steps);
    });
}
