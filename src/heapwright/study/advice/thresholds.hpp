// When a change is worth advising, and what things cost: the only place where rules take such figures from.
#pragma once

#include <cstdint>

namespace heapwright::study::advice {

// ---- when nothing is worth a change

/// Bytes below this, or below this share of the program's peak, are nobody's concern.
inline constexpr double kWorthBytes = 512.0 * 1024;
inline constexpr double kWorthBytesShare = 0.02;
/// Time below this, or below this share of the program's processor time.
inline constexpr double kWorthSeconds = 0.002;
inline constexpr double kWorthSecondsShare = 0.01;
/// A place with fewer allocations has no pattern to speak of.
inline constexpr std::uint64_t kManyAllocations = 10'000;
/// At most so many suggestions of one rule, the most promising first.
inline constexpr std::size_t kMostOfOneRule = 3;

// ---- what makes a pattern

inline constexpr double kNearlyAll = 0.95;  ///< of one size, in one frame, freed
inline constexpr double kMostly = 0.5;
inline constexpr std::uint64_t kBatchBlocks = 50;  ///< blocks that die together, on average, for an arena
inline constexpr double kArenaGrowth = 1.5;        ///< an arena may hold so much more than what lives at once
inline constexpr std::uint64_t kPoolLargest = 4096;
inline constexpr std::uint64_t kStackLargest = 4096;
inline constexpr double kLeakedShare = 0.1;      ///< of the place's blocks
inline constexpr double kLeakSpread = 0.5;       ///< of the run, from the first to the last of them
inline constexpr double kHeldForNothing = 0.15;  ///< of the heap's resident memory, before an allocator is blamed
inline constexpr std::uint64_t kManyThreads = 4;
inline constexpr double kLastsShare = 0.25;        ///< of the run: a block that lives so long lasts
inline constexpr double kBriefShare = 1.0 / 1024;  ///< of the run: a block that lives no longer is brief
inline constexpr double kBriefNearlyAll = 0.99;    ///< of a site's blocks; the rest hold chunks back
/// The least that the blocks of a plan's entry have to be able to keep resident, a page each: every call of such a size is
/// compared with every entry of it.
inline constexpr std::uint64_t kLeastPlannedBytes = std::uint64_t{64} << 10;
/// Each call of code that serves many callers is compared with every one of them that has an entry.
inline constexpr std::size_t kMostCallersOfOneCode = 16;
inline constexpr std::size_t kMostPlanEntries = 64;  ///< of one suggestion: those that make up nearly all of its bytes

// ---- what things cost, in ns (glibc 2.36 and this library, one thread; bench/ has the figures)

inline constexpr double kPairNs = 15;  ///< malloc and free of a small block, sizes mixed
inline constexpr double kPoolPairNs = 5;
inline constexpr double kArenaBlockNs = 2;
inline constexpr double kRemoteFreeNs = 30;  ///< what a free from another thread costs more
inline constexpr double kFaultNs = 250;      ///< first touch of an OS page
inline constexpr double kCopyByteNs = 0.1;
inline constexpr double kGoodPairNs = 8;  ///< the pair in the fastest general allocators
inline constexpr double kBumpPairNs = 5;  ///< in a bump place of our own heap, whose chunks stay in the cache

}  // namespace heapwright::study::advice
