// The table of threads.
#include <heapwright/study/analysis/threads.hpp>

#include <algorithm>

namespace heapwright::study {

ThreadState& ThreadTable::find_slow(trace::ThreadIndex index) {
    auto& state = by_index_[static_cast<std::uint32_t>(index)];
    if (state == nullptr) {
        state = &states_.emplace_back();
        state->row.index = index;
    }
    if (static_cast<std::uint32_t>(index) < kDirect) {
        direct_[static_cast<std::uint32_t>(index)] = state;
    }
    return *state;
}

void ThreadTable::describe(std::span<const trace::ThreadInfo> threads) {
    for (const trace::ThreadInfo& thread : threads) {
        descriptions_[static_cast<std::uint32_t>(thread.index)] = thread;
    }
}

ThreadRow* ThreadTable::row_of(std::uint32_t index) {
    const auto found = by_index_.find(index);
    return found == by_index_.end() ? nullptr : &found->second->row;
}

std::vector<ThreadRow> ThreadTable::finish(const Scale& scale) {
    std::vector<ThreadRow> rows;
    for (ThreadState& state : states_) {
        ThreadRow& row = state.row;
        for (std::uint64_t* counter :
             {&row.allocations, &row.allocated_bytes, &row.frees, &row.cross_thread_frees, &row.live_bytes_at_peak}) {
            *counter = scale.to_count(*counter);
        }
        const auto description = descriptions_.find(static_cast<std::uint32_t>(row.index));
        if (description != descriptions_.end()) {
            row.tid = description->second.tid;
            row.name = description->second.name;
        }
        rows.push_back(std::move(row));
    }
    std::ranges::sort(rows, {}, &ThreadRow::index);
    return rows;
}

}  // namespace heapwright::study
