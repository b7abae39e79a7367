// Plain lists, plain loops.
#include <tests/study/analysis/naive_model.hpp>

#include <algorithm>
#include <optional>
#include <set>

namespace heapwright::test {
namespace {

using namespace trace;

std::size_t bucket(std::uint64_t value) {
    std::size_t b = 0;
    while (value > 1) {
        value /= 2;
        ++b;
    }
    return b;
}

int family(Call call) {
    if (call == Call::new_object || call == Call::delete_object) {
        return 1;
    }
    return call == Call::new_array || call == Call::delete_array ? 2 : 0;
}

NaiveAmount sum(const std::vector<NaiveBlock>& blocks) {
    NaiveAmount amount;
    for (const NaiveBlock& block : blocks) {
        ++amount.blocks;
        amount.requested += block.size;
        amount.usable += test_usable(block.size);
    }
    return amount;
}

class Model {
public:
    explicit Model(const RandomTrace& trace) : trace_(trace) {}

    NaiveResult run() {
        for (now_ = 0; now_ < trace_.events.size(); ++now_) {
            const Event& event = trace_.events[now_];
            allocated_ = freed_ = false;
            step(event);
            look(event);
        }
        result_.at_end = look_at(live());
        finish(result_.at_peak, &NaiveSite::at_peak, &NaiveSite::pinned_peak, &NaiveSite::pinned_free_peak);
        finish(result_.at_end, &NaiveSite::leaked, &NaiveSite::pinned_end, &NaiveSite::pinned_free_end);
        for (const NaiveBlock& block : result_.at_peak.blocks) {
            result_.thread_bytes_at_peak[block.thread] += block.size;
        }
        return result_;
    }

private:
    struct Resize {
        std::optional<NaiveBlock> block;
        bool still_there = false;
    };

    /// Blocks in the list, and those in the middle of a resize.
    std::vector<NaiveBlock> live() const {
        std::vector<NaiveBlock> all = blocks_;
        for (const auto& [thread, resize] : resizes_) {
            if (resize.still_there) {
                all.push_back(*resize.block);
            }
        }
        return all;
    }

    void step(const Event& event) {
        const auto thread = static_cast<std::uint32_t>(event.thread);
        switch (event.kind) {
            case EventKind::allocate:
                if (event.address == 0) {
                    ++result_.failed;
                } else {
                    enter(event, event.tick, 0);
                }
                break;
            case EventKind::release: {
                const auto block = take(event.address);
                if (!block) {
                    ++result_.unknown;
                } else {
                    count_touched(*block, event);
                    count_release(*block, event, event.call);
                    count_drain(*block);
                }
                break;
            }
            case EventKind::resize_from: {
                const auto block = take(event.address);
                resizes_[thread] = {block, block.has_value()};
                if (block) {
                    count_touched(*block, event);
                }
                break;
            }
            case EventKind::resize_to: resize_to(event); break;
        }
    }

    void resize_to(const Event& event) {
        const auto thread = static_cast<std::uint32_t>(event.thread);
        Resize old;
        if (event.old_address != 0) {
            old = resizes_[thread];
            resizes_.erase(thread);
        }
        if (event.address == 0 && event.size != 0) {
            ++result_.failed;
            if (old.still_there) {
                blocks_.push_back(*old.block);
            }
            return;
        }
        if (event.address == 0) {
            count_release(*old.block, event, Call::free);
            if (old.still_there) {
                count_drain(*old.block);
            }
            return;
        }
        if (!old.block) {
            enter(event, event.tick, 0);
            return;
        }
        NaiveSite& from = site(old.block->stack);
        NaiveSite& to = site(static_cast<std::uint32_t>(event.stack));
        const std::uint64_t chain = old.block->resizes + 1;
        ++result_.reallocs;
        ++from.reallocs;
        from.copied += event.address != old.block->address ? std::min(event.size, old.block->size) : 0;
        from.chain_max = std::max(from.chain_max, chain);
        to.chain_max = std::max(to.chain_max, chain);
        to.chains += chain == 2;
        result_.mismatched += family(old.block->call) != 0;
        enter(event, old.block->born, chain);
    }

    void enter(const Event& event, Tick born, std::uint64_t resizes) {
        const auto thread = static_cast<std::uint32_t>(event.thread);
        const auto stack = static_cast<std::uint32_t>(event.stack);
        const NaiveBlock block{event.address, event.size, event.call, stack, thread, now_, born, resizes};
        for (auto& [other, resize] : resizes_) {
            if (resize.still_there && resize.block->address < block.end() && block.address < resize.block->end()) {
                resize.still_there = false;
            }
        }
        blocks_.push_back(block);
        allocated_ = true;
        ++result_.allocations;
        result_.bytes += event.size;
        result_.over_aligned += event.alignment_log2 > 4;
        ++result_.allocations_by_size[event.size];
        ++result_.threads[thread][0];
        result_.threads[thread][1] += event.size;
        NaiveSite& here = site(stack);
        ++here.calls[static_cast<std::size_t>(event.call)];
        ++here.allocations;
        here.allocated += event.size;
        here.over_aligned += event.alignment_log2 > 4;
        here.min_size = std::min(here.min_size, event.size);
        here.max_size = std::max(here.max_size, event.size);
        ++here.sizes[bucket(event.size)];
        ++here.threads[thread];
    }

    void count_touched(const NaiveBlock& block, const Event& event) {
        if (event.touched != kTouchedUnknown) {
            ++site(block.stack).touched_blocks;
            site(block.stack).touched += std::min(event.touched, block.size + (1 << 20));
        }
    }

    void count_release(const NaiveBlock& block, const Event& event, Call call) {
        const auto thread = static_cast<std::uint32_t>(event.thread);
        NaiveSite& here = site(block.stack);
        const std::uint64_t lifetime = (event.tick - block.born) * kTestTickNs;
        const bool crosses = block.thread != thread;
        const bool temporary = !crosses && allocations_after(block, thread).empty();
        const bool same_frame = !crosses && (temporary || stays_below(block, thread));
        freed_ = true;
        ++result_.frees;
        ++here.frees;
        result_.temporary += temporary;
        here.temporary += temporary;
        here.same_frame += same_frame;
        result_.cross += crosses;
        here.cross += crosses;
        here.short_lived += lifetime < 1'000'000;
        here.lifetime_total += lifetime;
        here.lifetime_max = std::max(here.lifetime_max, lifetime);
        ++here.lifetimes[bucket(lifetime)];
        result_.mismatched += family(block.call) != family(call);
        ++result_.threads[thread][2];
        result_.threads[thread][3] += crosses;
    }

    void count_drain(const NaiveBlock& gone) {
        bool any = false;
        for (const NaiveBlock& block : live()) {
            any = any || block.stack == gone.stack;
        }
        site(gone.stack).drains += any ? 0 : 1;
    }

    /// Successful allocations of the thread since the block became what it is.
    std::vector<Event> allocations_after(const NaiveBlock& block, std::uint32_t thread) const {
        std::vector<Event> found;
        for (std::size_t i = block.entered + 1; i < now_; ++i) {
            const Event& event = trace_.events[i];
            const bool allocates = event.kind == EventKind::allocate || event.kind == EventKind::resize_to;
            if (allocates && event.address != 0 && static_cast<std::uint32_t>(event.thread) == thread) {
                found.push_back(event);
            }
        }
        return found;
    }

    bool stays_below(const NaiveBlock& block, std::uint32_t thread) const {
        if (block.stack == 0) {
            return false;
        }
        std::vector<std::uint64_t> caller = trace_.stacks[block.stack];
        caller.pop_back();
        if (caller.empty()) {
            return true;
        }
        for (const Event& event : allocations_after(block, thread)) {
            const auto& stack = trace_.stacks[static_cast<std::size_t>(event.stack)];
            if (stack.size() < caller.size() || !std::equal(caller.begin(), caller.end(), stack.begin())) {
                return false;
            }
        }
        return true;
    }

    std::optional<NaiveBlock> take(std::uint64_t address) {
        for (auto block = blocks_.begin(); block != blocks_.end(); ++block) {
            if (block->address == address) {
                const NaiveBlock found = *block;
                blocks_.erase(block);
                return found;
            }
        }
        return std::nullopt;
    }

    void look(const Event& event) {
        const std::vector<NaiveBlock> all = live();
        const NaiveAmount amount = sum(all);
        std::map<std::uint32_t, std::uint64_t> by_site;
        std::set<std::uint64_t> pages;
        for (const NaiveBlock& block : all) {
            by_site[block.stack] += block.size;
            for (std::uint64_t page = block.address / 4096; page <= (block.end() - 1) / 4096; ++page) {
                pages.insert(page);
            }
        }
        for (const auto& [stack, bytes] : by_site) {
            site(stack).peak = std::max(site(stack).peak, bytes);
        }
        if (amount.requested > result_.at_peak.live.requested) {
            result_.at_peak = look_at(all);
            result_.peak_tick = event.tick;
        }
        result_.states.push_back({event.tick, amount, pages.size(), allocated_, freed_});
    }

    NaiveSite& site(std::uint32_t stack) { return result_.sites[stack]; }

    void finish(const NaiveHeap& heap, NaiveAmount NaiveSite::* amount, std::uint64_t NaiveSite::* pinned,
                std::uint64_t NaiveSite::* pinned_free) {
        for (const NaiveBlock& block : heap.blocks) {
            NaiveAmount& here = site(block.stack).*amount;
            ++here.blocks;
            here.requested += block.size;
            here.usable += test_usable(block.size);
        }
        for (const auto& [stack, bytes] : heap.pinned) {
            site(stack).*pinned = bytes;
        }
        for (const auto& [stack, bytes] : heap.pinned_free) {
            site(stack).*pinned_free = bytes;
        }
    }

    const RandomTrace& trace_;
    NaiveResult result_;
    std::vector<NaiveBlock> blocks_;
    std::map<std::uint32_t, Resize> resizes_;
    std::size_t now_ = 0;
    bool allocated_ = false, freed_ = false;
};

}  // namespace

NaiveHeap look_at(const std::vector<NaiveBlock>& blocks) {
    NaiveHeap heap;
    heap.blocks = blocks;
    heap.live = sum(blocks);
    std::map<std::uint64_t, std::pair<std::uint64_t, std::set<std::uint32_t>>> pages;  // live bytes, stacks
    for (const NaiveBlock& block : blocks) {
        for (std::uint64_t page = block.address / 4096; page <= (block.end() - 1) / 4096; ++page) {
            auto& [bytes, stacks] = pages[page];
            bytes += std::min(block.end(), (page + 1) * 4096) - std::max(block.address, page * 4096);
            stacks.insert(block.stack);
        }
    }
    for (const auto& [page, content] : pages) {
        const auto& [bytes, stacks] = content;
        ++heap.occupied_pages;
        heap.free_bytes += 4096 - bytes;
        ++heap.occupancy[bytes == 4096 ? 10 : static_cast<std::size_t>(bytes * 10 / 4096)];
        if (stacks.size() == 1) {
            heap.pinned[*stacks.begin()] += 4096;
            heap.pinned_free[*stacks.begin()] += 4096 - bytes;
        }
    }
    std::vector<NaiveBlock> sorted = blocks;
    std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.address < b.address; });
    for (std::size_t i = 1; i < sorted.size(); ++i) {
        const std::uint64_t gap = sorted[i].address - sorted[i - 1].end();
        if (gap < 1 << 20) {
            heap.largest_gap = std::max(heap.largest_gap, gap);
        }
    }
    return heap;
}

NaiveResult analyse_naively(const RandomTrace& trace) { return Model(trace).run(); }

}  // namespace heapwright::test
