// The parts of cycle collectors that are the same for every type.
#include <heapwright/own/rc/cycle_collector.hpp>

#include <new>

#include <heapwright/base/text.hpp>

namespace heapwright::detail {
namespace {

constinit std::atomic<std::uint32_t> g_last_number{0};

[[nodiscard]] Layout table_layout(std::uint32_t size) noexcept {
    return {.size = size * sizeof(NodeKind*), .alignment = alignof(NodeKind*)};
}

}  // namespace

std::uint32_t claim_type_number(std::atomic<std::uint32_t>& number) noexcept {
    // Relaxed, all of it: only the number matters, and compare-and-swap decides which one it is.
    const std::uint32_t mine = g_last_number.fetch_add(1, std::memory_order_relaxed) + 1;
    std::uint32_t none = 0;
    return number.compare_exchange_strong(none, mine, std::memory_order_relaxed) ? mine : none;
}

NodeKinds::~NodeKinds() {
    for (std::uint32_t number = 0; number < size_; ++number) {
        if (kinds_[number] != nullptr) {
            deallocate_(kinds_[number], Layout::of<NodeKind>());
        }
    }
    if (kinds_ != nullptr) {
        deallocate_(static_cast<void*>(kinds_), table_layout(size_));
    }
}

NodeKind* NodeKinds::add(std::uint32_t number, const NodeOps* ops, Candidates* home) noexcept {
    if (number >= size_) {
        const std::uint32_t wanted = (number + 16U) & ~15U;
        void* const bigger = allocate_(table_layout(wanted));
        if (bigger == nullptr) {
            return nullptr;
        }
        __builtin_memset(bigger, 0, table_layout(wanted).size);
        if (kinds_ != nullptr) {
            __builtin_memcpy(bigger, static_cast<const void*>(kinds_), table_layout(size_).size);
            deallocate_(static_cast<void*>(kinds_), table_layout(size_));
        }
        kinds_ = static_cast<NodeKind**>(bigger);
        size_ = wanted;
    }
    void* const memory = allocate_(Layout::of<NodeKind>());
    if (memory != nullptr) {
        handles_stay_ = handles_stay_ && ops->handles_stay;
        kinds_[number] = ::new (memory) NodeKind{.ops = ops, .home = home};
    }
    return kinds_[number];
}

void Candidates::forget_looked_at(NodeHeader& node) noexcept {
    struct Disturb : EdgeSink {
        explicit Disturb(Candidates& owner) noexcept : EdgeSink(&to), home(owner) {}
        Candidates& home;
        static void to(EdgeSink& sink, NodeHeader& held) noexcept {
            Candidates& home = static_cast<Disturb&>(sink).home;
            if (held.kind->home == &home && held.is_looked_at()) {
                home.disturb(held);
            }
        }
    };
    list(looked_at)[node.place()] = nullptr;
    node.trial = NodeHeader::kIdle;
    node.slot = 0;
    Disturb disturb{*this};
    node.kind->ops->follow(node, disturb);
}

void refuse_orphans(const NodeKind& most, std::uint64_t live) noexcept {
    Text<320> text;
    text.append("nodes outlive their collector: ");
    text.append_decimal(live);
    text.append(" are alive, ");
    text.append_decimal(most.made - most.gone);
    text.append(" of them ");
    text.append(most.ops->name.substr(0, 128));
    text.append("; drop their handles first, or name every handle in trace");
    fail_check(text.c_str(), nullptr, nullptr, 0);
}

}  // namespace heapwright::detail
