// What an experiment does with the blocks of some sites instead of asking the allocator for each of them.
#pragma once

#include <cstdint>
#include <vector>

#include <heapwright/trace/event.hpp>

namespace heapwright::study {

enum class PlacementKind : std::uint8_t {
    none = 0,
    arena,    ///< from one arena per thread; the arena is rewound when the last of its blocks is dead
    pool,     ///< from one pool; larger requests than its slots go to the allocator
    reserve,  ///< a block that grows is made once, as large as it will become
    stack,    ///< lives in the caller's frame: no allocation at all
    resize,   ///< is asked for with other sizes or with no more than the usual alignment
    remove,   ///< is never made: what a leak costs
    trim,     ///< no site: the allocator is told to give memory back whenever half of the live bytes are gone
};

/// One experiment's placement.
struct Placement {
    PlacementKind kind = PlacementKind::none;
    std::vector<trace::StackId> stacks;  ///< of the sites; empty for trim
    std::uint32_t pool_block_bytes = 0;  ///< pool: size of a slot
    std::uint32_t pool_alignment = 16;   ///< pool: of a slot
    std::uint64_t from_size = 0;         ///< resize: requests of this size ...
    std::uint64_t to_size = 0;           ///< ... become requests of this size; 0: sizes stay
    bool usual_alignment = false;        ///< resize: over-aligned requests become ordinary ones
};

}  // namespace heapwright::study
