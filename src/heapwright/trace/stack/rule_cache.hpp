// What is known about each return address that was ever met: its number and how to leave its frame.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include <heapwright/trace/stack/code_finder.hpp>
#include <heapwright/trace/stack/intern_table.hpp>
#include <heapwright/trace/stack/rule.hpp>

namespace heapwright::trace::stack {

/// A return address by number, counted from 1 in the order of first sight; 0: none.
enum class PcIndex : std::uint32_t { none = 0 };

/// Return address -> (number, unwind rule), learnt once from the module's own unwind tables (.eh_frame).
///
///   R1  every live return address is found under its number
///   -   a rule never changes until its address is forgotten; a forgotten address keeps its number and its value
///
/// Thread safety: any thread; readers and writers take no locks. Learning reads /proc/self/maps only for addresses that
/// belong to no module.
class RuleCache {
public:
    static constexpr std::uint32_t kDefaultMaxPcs = std::uint32_t{1} << 21;

    struct Known {
        PcIndex index;  ///< none: the cache is full
        Rule rule;
    };

    constexpr RuleCache() noexcept = default;
    RuleCache(const RuleCache&) = delete;
    RuleCache& operator=(const RuleCache&) = delete;

    /// Requires: not open. May call dlsym, so do it where that is allowed (not under the loader's lock).
    /// Fails:    false when the kernel refuses the addresses; every lookup then says not_code.
    [[nodiscard]] bool open(std::uint32_t max_pcs = kDefaultMaxPcs) noexcept;

    /// Gives back the memory. Requires: no other thread uses the cache.
    void close() noexcept;

    /// The rule of a return address; learns it when it is new (slow: about 1000 to 10000 instructions).
    /// What is not code is not kept: index none, rule not_code.
    ///
    /// Requires: `buffer` is as for os::for_each_mapping; used only where the address belongs to no module.
    [[nodiscard]] Known lookup(std::uintptr_t pc, std::span<char> buffer) noexcept;

    /// Forgets all that is known of code in [begin, end), which was unloaded: other code there gets new numbers.
    void forget(std::uintptr_t begin, std::uintptr_t end) noexcept;

    /// To be called after dlclose: forgets every address whose module is no longer there.
    /// Cost: one look-up in the loader's tables per known address, about 100 ns each.
    void invalidate() noexcept;

    /// Changes with every forget() and invalidate() that forgot something: what was derived from rules is then stale.
    [[nodiscard]] std::uint32_t generation() const noexcept {
        return generation_.load(std::memory_order_acquire);  // pairs with the release in forget()
    }

    /// Requires: `index` came from lookup().
    [[nodiscard]] std::uintptr_t pc(PcIndex index) const noexcept;

    [[nodiscard]] std::uint32_t known_pcs() const noexcept { return table_.count(); }

    /// How many times a new return address could not be kept.
    [[nodiscard]] std::uint64_t refused() const noexcept {
        return refused_.load(std::memory_order_relaxed);  // a statistic
    }

    /// To be called in the child after fork, before its first lookup().
    void after_fork_in_child() noexcept { table_.after_fork_in_child(); }

    /// The first broken invariant or nullptr. Requires: no other thread inserts.
    [[nodiscard]] const char* broken_invariant() const noexcept;

private:
    struct Record {
        std::atomic<std::uint64_t> key;   // the return address; kForgotten
        std::atomic<std::uint64_t> rule;  // Rule::word(); the return address of a forgotten record
    };
    friend class StackCapture;

    static void forget_record(Record& record, std::uint64_t pc) noexcept;
    template <class IsGone>
    void forget_if(IsGone is_gone) noexcept;

    InternTable<Record> table_;
    CodeFinder finder_;
    std::atomic<std::uint32_t> generation_{1};
    std::atomic<std::uint64_t> refused_{0};
};

}  // namespace heapwright::trace::stack
