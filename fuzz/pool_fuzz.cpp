// Feeds a Pool, whose block size is the input's first byte, takes and frees made of the bytes that follow.
#include <cstddef>
#include <cstdint>

#include "alloc_steps.hpp"

#include <heapwright/alloc/pool/pool.hpp>

using namespace heapwright::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    return play_input(data, size, [](std::uint8_t choice, Source& source, Steps steps) {
        const heapwright::PoolOptions small{.slab_bytes = 4096, .limit_blocks = 300, .spare_bytes = 4096};
        heapwright::Pool pool{{.size = 1 + std::size_t{choice}, .alignment = 1}, source, small};
        play(pool, source, steps);
    });
}
