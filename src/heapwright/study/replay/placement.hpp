// What an experiment does with the blocks of some sites instead of asking the allocator for each of them.
#pragma once

#include <cstdint>
#include <vector>

#include <heapwright/config/memory_config.hpp>
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
    planned,  ///< goes to a place of its own in heapwright's malloc, as an entry of a placement plan says
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
    SitePlace place{};                   ///< planned: which kind of place
    std::uint64_t min_bytes = 0;         ///< planned: smaller requests stay with the allocator, and larger ones
    std::uint64_t max_bytes = UINT64_MAX;
};

}  // namespace heapwright::study
