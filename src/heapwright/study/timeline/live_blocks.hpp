// The blocks that are live at one moment of the timeline, by address.
#pragma once

#include <cstdint>

#include <heapwright/study/timeline/address_map.hpp>
#include <heapwright/trace/event.hpp>

namespace heapwright::study {

/// Sizes are cut to what 48 bits can say: no address space of this machine is larger.
inline constexpr std::uint64_t kLargestSize = (std::uint64_t{1} << 48) - 1;

/// One live block. Two fit into a cache line.
struct BlockRecord {
    std::uint64_t address = 0;
    std::uint64_t entered = 0;        ///< stamp of the event that made the block what it is (see Stamp in stamp.hpp)
    std::uint64_t size : 48 = 0;      ///< requested bytes
    std::uint64_t call : 4 = 0;       ///< trace::Call
    std::uint64_t resized : 1 = 0;    ///< it was resized at least once: more is known in a side table
    std::uint64_t off_pages : 1 = 0;  ///< it is not counted on OS pages, because it would overlap other blocks there
    std::uint64_t spare : 10 = 0;
    std::uint32_t site = 0;
    std::uint32_t thread = 0;  ///< trace::ThreadIndex of the thread that allocated it
};
static_assert(sizeof(BlockRecord) == 32);

using LiveBlocks = AddressMap<BlockRecord>;

}  // namespace heapwright::study
