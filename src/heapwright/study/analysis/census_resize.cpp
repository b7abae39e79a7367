// A resize takes two events, and the time between them: the block is live all along, but its address may not be its own.
#include <algorithm>

#include <heapwright/study/analysis/call_family.hpp>
#include <heapwright/study/analysis/census.hpp>

namespace heapwright::study {

using trace::Call;
using trace::Event;

void Census::resize_from(const Event& event, ThreadState& thread) {
    put_back(thread.resize);  // a resize that never came back
    PendingResize& resize = thread.resize;
    resize = {};
    resize.is_open = true;
    resize.block.address = event.address;
    BlockRecord* block = live_.find(event.address);
    if (block == nullptr) {
        return;
    }
    resize.block = *block;
    resize.is_known = resize.has_block = true;
    resize.born = block->entered;
    if (block->resized) {
        if (Chain* chain = chains_.find(event.address)) {
            resize.born = chain->born;
            resize.resizes = chain->resizes;
            chains_.erase(chain);
        }
    }
    if (event.touched != trace::kTouchedUnknown) {
        sites_.touched(*block, event.touched);
    }
    live_.erase(block);
    resizing_.push_back(&thread);
}

void Census::resize_to(const Event& event, ThreadState& thread) {
    if (thread.resize.is_open && thread.resize.block.address != event.old_address) {
        put_back(thread.resize);
    }
    if (!thread.resize.is_open && event.old_address != 0) {
        Event from;  // its resize_from was lost
        from.address = event.old_address;
        resize_from(from, thread);
    }
    const PendingResize old = thread.resize;
    if (event.address == 0 && event.size != 0) {
        ++counts_.failed;
        put_back(thread.resize);
        return;
    }
    if (old.has_block) {
        std::erase(resizing_, &thread);
    }
    thread.resize = {};
    if (event.old_address != 0 && !old.is_known) {
        count_unknown(event);
    }
    if (event.address != 0) {
        resize_succeeded(event, thread, old);
        return;
    }
    if (old.is_known) {  // realloc(block, 0) that frees
        Event freeing = event;
        freeing.address = old.block.address;
        freeing.call = Call::free;
        count_release(old.block, old.born, freeing, thread);
        if (old.has_block) {
            leave(old.block, true);
        }
    }
}

void Census::resize_succeeded(const Event& event, ThreadState& thread, const PendingResize& old) {
    if (!old.is_known) {
        static_cast<void>(enter(event, thread));
        return;
    }
    const std::uint64_t size = std::min(event.size, kLargestSize);
    const std::uint64_t weight = scale_.weight(old.block.size);
    const std::uint64_t chain = old.resizes + 1;
    const std::uint64_t copied = event.address != old.block.address ? std::min<std::uint64_t>(old.block.size, size) : 0;
    sites_.resized(old.block, sites_.site_of(facts_.stacks.checked(event.stack)), chain, copied);
    counts_.reallocs += weight;
    counts_.mismatched += family_of(static_cast<Call>(old.block.call)) != CallFamily::c_functions ? weight : 0;
    if (old.has_block) {
        leave(old.block);
    }
    BlockRecord* block = enter(event, thread);
    block->resized = 1;
    const Chain record{.address = event.address, .born = old.born, .resizes = chain};
    const auto [place, is_new] = chains_.insert(record);
    if (!is_new) {
        *place = record;
    }
}

/// The block of a resize that failed or never came back is what it was, unless its place is taken.
void Census::put_back(PendingResize& resize) {
    if (!resize.has_block) {
        resize = {};
        return;
    }
    std::erase_if(resizing_, [&](const ThreadState* thread) { return &thread->resize == &resize; });
    const auto [place, is_new] = live_.insert(resize.block);
    if (!is_new) {
        leave(resize.block);
    } else if (place->resized) {
        static_cast<void>(chains_.insert(Chain{.address = place->address, .born = resize.born, .resizes = resize.resizes}));
    }
    resize = {};
}

}  // namespace heapwright::study
