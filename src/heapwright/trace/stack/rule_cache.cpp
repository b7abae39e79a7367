// Learns rules from unwind tables and forgets those of unloaded code.
#include <heapwright/trace/stack/rule_cache.hpp>

#include <cstring>

#include <heapwright/trace/stack/detail/frame_program.hpp>
#include <heapwright/trace/stack/detail/frame_table.hpp>

namespace heapwright::trace::stack {

namespace {

/// Whether the instructions at `pc` are those to which signal handlers return: mov $15, %rax; syscall.
///
/// Requires: pc is in an executable segment of `file`; the instructions may reach over the end of the file's mappings.
bool is_signal_return(const LoadedFile& file, std::uintptr_t pc) noexcept {
    constexpr unsigned char kInstructions[] = {0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05};
    return pc >= file.begin && file.end - pc >= sizeof kInstructions &&
           std::memcmp(reinterpret_cast<const void*>(pc), kInstructions, sizeof kInstructions) == 0;
}

Rule learn_from_file(const LoadedFile& file, std::uintptr_t pc) noexcept {
    // A return address may already belong to the next function or block; the call itself does not.
    const std::uintptr_t call = pc - 1;
    detail::FrameDescription description;
    const bool is_described = detail::find_frame_description(file, call, description);
    if ((!is_described || description.is_signal_frame) && is_signal_return(file, pc)) {
        return Rule::of(RuleKind::signal);
    }
    detail::FrameRow row;
    if (!is_described || !detail::run_frame_program(description, call, row)) {
        return Rule::of(RuleKind::frame_pointer);
    }
    return detail::rule_of(row, call);
}

}  // namespace

bool RuleCache::open(std::uint32_t max_pcs) noexcept {
    constexpr unsigned kFirstSlotsLog2 = 12;
    finder_.open();
    return table_.open(max_pcs, kFirstSlotsLog2, "heapwright return addresses");
}

void RuleCache::close() noexcept { table_.close(); }

RuleCache::Known RuleCache::lookup(std::uintptr_t pc, std::span<char> buffer) noexcept {
    if (!table_.is_open() || pc == 0 || pc == InternTable<Record>::kForgotten) {
        return {PcIndex::none, Rule::of(RuleKind::not_code)};
    }
    if (const std::uint32_t found = table_.find(pc); found != 0) {
        // Relaxed: the rule is one word and refers to nothing else.
        if (const Rule rule{table_.record(found).rule.load(std::memory_order_relaxed)}; rule.kind() != RuleKind::unknown) {
            return {static_cast<PcIndex>(found), rule};
        }
    }
    // Taken before the tables are read: whoever unloads the file meanwhile changes it.
    const std::uint32_t generation = generation_.load(std::memory_order_acquire);  // pairs with the release in forget()
    LoadedFile file;
    Rule rule;
    switch (finder_.find(pc - 1, buffer, file)) {
        case CodeKind::file: rule = learn_from_file(file, pc); break;
        case CodeKind::generated: rule = Rule::of(RuleKind::frame_pointer); break;
        case CodeKind::none: return {PcIndex::none, Rule::of(RuleKind::not_code)};
    }
    const std::uint32_t index = table_.intern(pc);
    if (index == 0) {
        refused_.fetch_add(1, std::memory_order_relaxed);  // a statistic
        return {PcIndex::none, rule};
    }
    // Relaxed, both: as above.
    table_.record(index).rule.store(rule.word(), std::memory_order_relaxed);
    if (generation_.load(std::memory_order_acquire) != generation) {    // pairs with the release in forget()
        table_.record(index).rule.store(0, std::memory_order_relaxed);  // learn it again next time
    }
    return {static_cast<PcIndex>(index), rule};
}

std::uintptr_t RuleCache::pc(PcIndex index) const noexcept {
    const Record& record = table_.record(static_cast<std::uint32_t>(index));
    // Acquire pairs with the release in forget_record(): the address has moved into the other word.
    const std::uint64_t key = record.key.load(std::memory_order_acquire);
    return key != InternTable<Record>::kForgotten ? key : record.rule.load(std::memory_order_relaxed);  // ordered by the key
}

void RuleCache::forget_record(Record& record, std::uint64_t pc) noexcept {
    // A thread that has just found the record may take the address for a rule. It walks a frame whose code is being
    // unloaded; what it reads stays inside its stack all the same.
    record.rule.store(pc, std::memory_order_relaxed);                              // published by the key
    record.key.store(InternTable<Record>::kForgotten, std::memory_order_release);  // pairs with the acquire in pc()
}

template <class IsGone>
void RuleCache::forget_if(IsGone is_gone) noexcept {
    bool forgot = false;
    for (std::uint32_t number = 1, last = table_.count(); number <= last; ++number) {
        Record& record = table_.record(number);
        // Relaxed: ordered by count().
        const std::uint64_t key = record.key.load(std::memory_order_relaxed);
        if (key != InternTable<Record>::kForgotten && is_gone(key)) {
            forget_record(record, key);
            forgot = true;
        }
    }
    finder_.forget_generated();
    if (forgot) {
        generation_.fetch_add(1, std::memory_order_release);  // pairs with the acquires in generation() and lookup()
    }
}

void RuleCache::forget(std::uintptr_t begin, std::uintptr_t end) noexcept {
    if (table_.is_open()) {
        forget_if([=](std::uint64_t pc) { return pc - begin < end - begin; });
    }
}

void RuleCache::invalidate() noexcept {
    if (table_.is_open()) {
        forget_if([this](std::uint64_t pc) { return !finder_.is_loaded(pc - 1); });
    }
}

const char* RuleCache::broken_invariant() const noexcept {
    if (!table_.is_open()) {
        return nullptr;
    }
    for (std::uint32_t number = 1, last = table_.count(); number <= last; ++number) {
        const std::uint64_t key = table_.record(number).key.load(std::memory_order_relaxed);  // the caller excludes writers
        if (key != InternTable<Record>::kForgotten && table_.find(key) != number) {
            return "R1: a return address is found under another number";
        }
    }
    return table_.broken_invariant();
}

}  // namespace heapwright::trace::stack
