// The planner's second half: which words an allocation or a release becomes, and what is corrected later.
#include <algorithm>

#include <heapwright/study/replay/planner.hpp>

namespace heapwright::study {

namespace {

plan::WideKind wide_kind(trace::Call call, unsigned alignment_log2) {
    if (alignment_log2 > 4 || call == trace::Call::aligned) {
        return plan::WideKind::aligned;
    }
    return call == trace::Call::calloc ? plan::WideKind::calloc : plan::WideKind::malloc;
}

}  // namespace

// The first word of an operation that fills a slot.
void Planner::append_step(std::uint32_t lane, plan::Op op, std::uint32_t slot, std::uint64_t size_field) {
    if (slot >= steps_.size()) {
        steps_.resize(std::size_t{slot} + 1);
    }
    ++steps_[slot];
    writer_.append(lane, plan::make_word(op, slot, size_field));
}

// The first word of an operation on a block: it names the step it comes after, and is a step itself unless it empties the slot.
void Planner::append_after(std::uint32_t lane, plan::Op op, std::uint32_t slot) {
    writer_.append(lane, plan::make_word(op, slot, steps_[slot]));
    if (op == plan::Op::resize || op == plan::Op::touch) {
        ++steps_[slot];
    }
}

Planner::Block Planner::place(std::uint32_t lane, const trace::Event& event) {
    Block block;
    block.address = event.address;
    block.size = event.size & kSizeMask;
    block.lane = lane;
    unsigned alignment_log2 = event.alignment_log2;
    trace::Call call = event.call;
    if (placement_.kind == PlacementKind::none || placement_.kind == PlacementKind::trim || !is_placed(event.stack)) {
        emit_allocation(lane, block, call, alignment_log2);
        return block;
    }
    ++counts_.placed;
    counts_.placed_bytes += event.size;
    switch (placement_.kind) {
        case PlacementKind::arena:
            if (event.size <= plan::kWholeBytes && alignment_log2 <= 4) {
                block.home = static_cast<std::uint64_t>(Home::arena);
                writer_.append(lane, plan::make_word(plan::Op::arena_allocate, group_, event.size));
                return block;
            }
            break;
        case PlacementKind::pool:
            if (event.size <= placement_.pool_block_bytes && std::uint64_t{1} << alignment_log2 <= placement_.pool_alignment) {
                block.home = static_cast<std::uint64_t>(Home::pool);
                block.slot = slots_.take(lane);
                append_step(lane, plan::Op::pool_allocate, block.slot, event.size);
                writer_.append(lane, group_);
                return block;
            }
            break;
        case PlacementKind::planned:
            if (event.size >= placement_.min_bytes && event.size <= std::min(placement_.max_bytes, plan::kWholeBytes) &&
                alignment_log2 <= 4) {
                block.home = static_cast<std::uint64_t>(Home::allocator);  // any free takes it
                block.slot = slots_.take(lane);
                append_step(lane, plan::Op::planned, block.slot, event.size);
                writer_.append(lane, group_ | (call == trace::Call::calloc ? plan::kZeroed : 0));
                return block;
            }
            break;
        case PlacementKind::reserve:
            emit_reserve(lane, block);
            lanes_[lane].waiting_stack = event.stack;
            return block;
        case PlacementKind::stack:
            if (event.size <= plan::kWholeBytes) {
                block.home = static_cast<std::uint64_t>(Home::frame);
                writer_.append(lane, plan::make_word(plan::Op::stack, 0, event.size));
                return block;
            }
            break;
        case PlacementKind::resize:
            if (placement_.to_size != 0 && event.size == placement_.from_size) {
                block.size = placement_.to_size & kSizeMask;
            }
            if (placement_.usual_alignment) {
                alignment_log2 = 0;
                call = call == trace::Call::aligned ? trace::Call::malloc : call;
            }
            break;
        default: block.home = static_cast<std::uint64_t>(Home::nowhere); return block;
    }
    // Taken by the placement, but not of a shape it can serve: the allocator's after all.
    emit_allocation(lane, block, call, alignment_log2);
    block.size = event.size & kSizeMask;
    return block;
}

void Planner::emit_allocation(std::uint32_t lane, Block& block, trace::Call call, unsigned alignment_log2) {
    block.slot = slots_.take(lane);
    const plan::WideKind kind = wide_kind(call, alignment_log2);
    if (block.size > plan::kWholeBytes || kind == plan::WideKind::aligned) {
        emit_wide(lane, block, kind, alignment_log2);
        block.home = static_cast<std::uint64_t>(block.size > plan::kWholeBytes ? Home::wide : Home::allocator);
        return;
    }
    block.home = static_cast<std::uint64_t>(Home::allocator);
    append_step(lane, kind == plan::WideKind::calloc ? plan::Op::calloc : plan::Op::malloc, block.slot, block.size);
}

void Planner::emit_wide(std::uint32_t lane, const Block& block, plan::WideKind kind, unsigned alignment_log2) {
    append_step(lane, plan::Op::wide, block.slot, static_cast<unsigned>(kind) | alignment_log2 << 4);
    writer_.append(lane, block.size);
    writer_.append(lane, block.size);
    if (block.size > plan::kWholeBytes) {
        corrections_[block.slot] = {.touched = writer_.mark(lane), .address = block.address};
    }
}

// The block is asked for with the size that it will have at the end, which is filled in when that is known; what the
// program had of it at first is what is written at first. It waits, because the next release may show that it is not a
// new block but the next home of a growing one.
void Planner::emit_reserve(std::uint32_t lane, Block& block) {
    block.home = static_cast<std::uint64_t>(Home::reserve);
    block.waiting = 1;
    lanes_[lane].waiting_address = block.address;
}

void Planner::settle_waiting(std::uint32_t lane) {
    LaneState& state = lanes_[lane];
    if (state.waiting_address == 0) {
        return;
    }
    Block* const block = live_.find(state.waiting_address);
    state.waiting_address = 0;
    if (block == nullptr || block->waiting == 0) {
        return;
    }
    block->waiting = 0;
    block->slot = slots_.take(lane);
    const std::uint64_t size = block->size;
    Correction correction{.address = block->address, .largest = size};
    append_step(lane, plan::Op::wide, block->slot, static_cast<unsigned>(plan::WideKind::malloc));
    writer_.append(lane, size);
    correction.size = writer_.mark(lane);
    writer_.append(lane, size);
    corrections_[block->slot] = correction;
}

// std::vector and its like grow by a new block, a move and the release of the old one.
bool Planner::continues_chain(std::uint32_t lane, const Block& released) {
    LaneState& state = lanes_[lane];
    Block* const next = state.waiting_address == 0 ? nullptr : live_.find(state.waiting_address);
    if (next == nullptr || next->waiting == 0 || next->size <= released.size || next->address == released.address) {
        return false;
    }
    state.waiting_address = 0;
    next->waiting = 0;
    next->slot = released.slot;
    next->lane = released.lane;
    const std::uint64_t old_size = released.size;
    Correction& correction = corrections_[next->slot];
    correction.address = next->address;
    append_after(lane, plan::Op::touch, next->slot);
    writer_.append(lane, old_size);
    writer_.append(lane, std::uint64_t{next->size});
    correction.largest = std::max(correction.largest, std::uint64_t{next->size});
    return true;
}

void Planner::grow_reserved(std::uint32_t lane, const Block& block, std::uint64_t size) {
    Correction& correction = corrections_[block.slot];
    correction.address = block.address;
    if (size > correction.largest) {
        append_after(lane, plan::Op::touch, block.slot);
        writer_.append(lane, correction.largest);
        writer_.append(lane, size);
        correction.largest = size;
    }
}

void Planner::drop(Block* block, std::uint32_t lane, std::uint64_t touched) {
    const Block copy = *block;
    live_.erase(block);
    emit_release(lane, copy, touched);
    count_live(-static_cast<std::int64_t>(copy.size), lane);
}

void Planner::emit_release(std::uint32_t lane, const Block& block, std::uint64_t touched) {
    switch (static_cast<Home>(block.home)) {
        case Home::wide:
        case Home::reserve: settle(block, touched); [[fallthrough]];
        case Home::allocator:
            append_after(lane, plan::Op::free, block.slot);
            slots_.give_back(lane, block.slot);
            break;
        case Home::arena: writer_.append(lane, plan::make_word(plan::Op::arena_release, block.lane, group_)); break;
        case Home::pool:
            append_after(lane, plan::Op::pool_release, block.slot);
            writer_.append(lane, group_);
            slots_.give_back(lane, block.slot);
            break;
        case Home::frame:
        case Home::nowhere: break;
    }
}

void Planner::settle(const Block& block, std::uint64_t touched) {
    const auto found = corrections_.find(block.slot);
    if (found == corrections_.end()) {
        return;
    }
    const Correction& correction = found->second;
    if (correction.size != PatchId::none) {
        writer_.patch(correction.size, correction.largest);
        writer_.settle(correction.size);
    }
    if (correction.touched != PatchId::none) {
        if (touched != trace::kTouchedUnknown) {
            const std::uint64_t least = std::max(correction.written_from, std::min(plan::kWholeBytes, touched));
            writer_.patch(correction.touched, std::clamp(touched, least, std::uint64_t{block.size}));
        }
        writer_.settle(correction.touched);
    }
    corrections_.erase(found);
}

}  // namespace heapwright::study
