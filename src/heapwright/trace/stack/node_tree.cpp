// The slow half of NodeTree.
#include <heapwright/trace/stack/node_tree.hpp>

namespace heapwright::trace::stack {

bool NodeTree::open(const RuleCache& pcs, std::uint32_t max_nodes) noexcept {
    constexpr unsigned kFirstSlotsLog2 = 13;
    pcs_ = &pcs;
    return table_.open(max_nodes, kFirstSlotsLog2, "heapwright stack nodes");
}

void NodeTree::close() noexcept { table_.close(); }

StackId NodeTree::intern_slow(StackId parent, std::uint64_t key) noexcept {
    if (static_cast<PcIndex>(key & 0xffffffffU) == PcIndex::none) {
        return parent;  // RuleCache is full; it has counted that
    }
    const std::uint32_t number = table_.intern(key);
    if (number == 0) {
        refused_.fetch_add(1, std::memory_order_relaxed);  // a statistic
        return parent;
    }
    return static_cast<StackId>(number);
}

StackNode NodeTree::node(std::uint32_t number) const noexcept {
    const std::uint64_t key = table_.record(number).key.load(std::memory_order_relaxed);  // ordered by published()
    return {static_cast<StackId>(key >> 32), pcs_->pc(static_cast<PcIndex>(key & 0xffffffffU))};
}

const char* NodeTree::broken_invariant() const noexcept {
    if (!table_.is_open()) {
        return nullptr;
    }
    for (std::uint32_t number = 1, last = table_.count(); number <= last; ++number) {
        const std::uint64_t key = table_.record(number).key.load(std::memory_order_relaxed);  // the caller excludes writers
        if (key >> 32 >= number) {
            return "T1: a node stands before its parent";
        }
        if (table_.find(key) == 0) {
            return "T2: a node is not found by its key";
        }
    }
    return table_.broken_invariant();
}

}  // namespace heapwright::trace::stack
