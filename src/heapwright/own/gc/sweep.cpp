// What marking did not reach is free: blocks are judged by their lines, and no dead object is touched.
#include <algorithm>
#include <cstring>

#include <heapwright/base/fill.hpp>
#include <heapwright/base/poison.hpp>
#include <heapwright/own/gc/detail/bytes.hpp>
#include <heapwright/own/gc/detail/collector.hpp>

namespace heapwright::gc::detail {

/// Frees lines in any of these states, counts, and puts the block where it belongs.
void Collector::settle_block(std::byte* block, std::uint8_t freed_states) noexcept {
    BlockInfo& info = block_of(block);
    std::uint8_t* const lines = line_of(block);
    if (info.has_index && (freed_states & kLineYoung) != 0) {
        // Dead young objects beside live ones: their marks must not be believed.
        info.is_indexed = info.has_index = false;
        clear_marks(mark_of(block), 0);
    }
    if constexpr (kPoisoning) {
        for (std::size_t line = 0; line < kLinesPerBlock; ++line) {
            if (lines[line] != kLineSurvived && (lines[line] & freed_states) != 0) {
                poison(block + line * kLineBytes, kLineBytes);
            }
        }
    }
    const FreeLines counted = settle_lines(lines, freed_states);
    const std::size_t free_lines = counted.after;
    used_lines -= counted.after - counted.before;
    info.free_lines = static_cast<std::uint16_t>(free_lines);
    if (free_lines == kLinesPerBlock) {
        info = BlockInfo{};
        info.state = BlockState::free;
        info.free_lines = kLinesPerBlock;
        ++chunk_of(block)->empty_blocks;
        ++empty_blocks;
        ++resident_empty;
        free_blocks.push(block);
    } else if (free_lines != 0 && !info.is_queued) {
        info.state = BlockState::used;
        info.is_queued = true;
        holed.push(block);
    }
}

void Collector::sweep_huge(bool everything, bool keep_young) noexcept {
    Chunk* next = nullptr;
    for (Chunk* chunk = chunks; chunk != nullptr; chunk = next) {
        next = chunk->next;
        if (!chunk->is_huge) {
            continue;
        }
        const std::byte* const at = reinterpret_cast<std::byte*>(chunk) + kFirstByte;
        const std::uint8_t line = load_byte(line_of(at));
        const bool is_marked = (load_byte(mark_of(at)) & kMarkEpochs) == epoch;
        const bool is_kept =
            line == kLineReleased ? false : is_marked || line == kLineDoomed || (line == kLineYoung ? keep_young : !everything);
        if (!is_kept) {
            const std::size_t bytes = chunk->blocks[kFirstBlock].large_bytes;
            huge_bytes -= bytes;
            committed_bytes -= chunk->committed_bytes;
            returned_now += chunk->committed_bytes;
            release_chunk(chunk);
        } else if (line == kLineSurvived) {
            std::memset(line_of(at), kLineOld, kUsableBlocks * kLinesPerBlock);
        }
    }
}

/// After a minor collection: young lines that no survivor took are free.
void Collector::sweep_touched() noexcept {
    sweep_huge(false, false);
    if (next_holed > holed.size() / 2) {
        const std::size_t left = holed.size() - next_holed;
        std::copy(holed.begin() + next_holed, holed.end(), holed.begin());
        holed.shrink_to(left);
        next_holed = 0;
    }
    for (std::byte* const block : touched) {
        if (chunk_kind(block) != kChunk || chunk_of(block)->owner != this || chunk_of(block)->is_huge) {
            continue;
        }
        const BlockInfo& info = block_of(block);
        if (info.state == BlockState::used || info.state == BlockState::inside) {
            settle_block(block, kLineYoung | kLineReleased);
        }
    }
    touched.clear();
}

/// After everything was marked. With keep_young, lines given out meanwhile are left for the next minor collection.
void Collector::sweep_all(bool keep_young) noexcept {
    sweep_huge(true, keep_young);
    holed.clear();
    next_holed = 0;
    free_blocks.clear();
    unclean.clear();
    const auto freed = static_cast<std::uint8_t>(kLinePrevious | kLineReleased | (keep_young ? 0 : kLineYoung));
    for_each_block([&](std::byte* block, BlockInfo& info) {
        if (info.state == BlockState::used || info.state == BlockState::inside) {
            info.is_queued = false;
            info.evacuate = false;
            settle_block(block, freed);
            if (info.state == BlockState::used || info.state == BlockState::inside) {
                unclean.push(block);
            }
        }
    });
    if (!keep_young) {
        touched.clear();
    }
    // Blocks with memory are taken before those without, and low addresses before high ones.
    free_blocks.clear();
    for (const BlockState wanted : {BlockState::fresh, BlockState::free}) {
        const std::size_t first = free_blocks.size();
        for_each_block([&](std::byte* block, const BlockInfo& info) {
            if (info.state == wanted) {
                free_blocks.push(block);
            }
        });
        std::reverse(free_blocks.begin() + first, free_blocks.end());
    }
    clean_at_once = std::max<std::size_t>(unclean.size() / 12, 64);
    // What was allocated while it was marked is not known to live.
    const std::size_t young = keep_young ? std::min(since_collection.load(std::memory_order_relaxed) + promoted_bytes, used_bytes()) : 0;
    live_bytes = used_bytes() - young;
    const std::size_t counted = live_bytes + external_bytes;
    const std::size_t grown = static_cast<std::size_t>(static_cast<double>(counted) * config.growth);
    full_threshold =
        std::max({config.threshold_bytes, grown + std::min(counted, std::max(config.nursery_most_bytes / 2, config.threshold_bytes)),
                  counted + 2 * config.nursery_bytes});
    // What was in use lately may be again: it stays, and so does what the next cycle may need. Of the rest, half goes back each
    // time. A heap that breathes would fault the pages in again, and that costs more than marking what could lie in them.
    recent_peaks[next_peak++ % 4] = std::max(peak_since_full, used_bytes());
    peak_since_full = 0;
    const std::size_t wanted = std::max({full_threshold, recent_peaks[0], recent_peaks[1], recent_peaks[2], recent_peaks[3]});
    const std::size_t keep = wanted - std::min(wanted, used_bytes());
    const std::size_t spare = resident_empty * kBlockBytes;
    spare_bytes = spare > keep ? keep + (spare - keep) / 2 : SIZE_MAX;
}

/// Clears marks of the cycle before, so that the next cycle cannot take them for its own.
void Collector::clean_marks(std::size_t blocks) noexcept {
    for (std::size_t count = 0; count < blocks && !unclean.empty(); ++count) {
        std::byte* const block = unclean.pop();
        if (chunk_kind(block) != kChunk || chunk_of(block)->owner != this) {
            continue;
        }
        clear_marks(mark_of(block), static_cast<std::uint8_t>(3 - epoch));
    }
}

/// Gives a half marked block the marks it had: everything in it exists, nothing is reached.
void Collector::unmark(std::byte* block, const BlockInfo&) noexcept { turn_marks(mark_of(block), epoch); }

}  // namespace heapwright::gc::detail
