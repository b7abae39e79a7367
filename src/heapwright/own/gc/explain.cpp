// Who keeps an object alive: a shortest path from a root to it, as text or as a Graphviz picture.
#include <heapwright/base/text.hpp>
#include <heapwright/own/gc/detail/collector.hpp>
#include <heapwright/own/gc/detail/marker.hpp>
#include <heapwright/own/gc/detail/stack.hpp>
#include <heapwright/own/gc/heap.hpp>

namespace heapwright::gc {

namespace detail {

namespace {

enum class RootKind : std::uint8_t { named, handle, stack, construction, finaliser };

constexpr std::uint32_t kNoParent = UINT32_MAX;

/// One object that was reached, in the order of reaching.
struct Reached {
    const Header* header;
    std::uint32_t parent;  // kNoParent: from a root
    std::uint32_t offset;  // of the member in the parent; UINT32_MAX: elsewhere, in a container that is a member
    RootKind kind;
    const char* root_name;
};

/// Breadth first over the objects, so that the first path found is a shortest one.
class Search {
public:
    explicit Search(Collector& collector) noexcept : collector_(collector) {}

    void from_root(void* target, RootKind kind, const char* name) noexcept {
        if (target == nullptr) {
            return;
        }
        const FoundObject found = collector_.find_object(target);
        if (found.header != nullptr && add(found.header)) {
            reached.push({.header = found.header, .parent = kNoParent, .offset = 0, .kind = kind, .root_name = name});
        }
    }
    /// The index of the wanted object, or kNoParent.
    [[nodiscard]] std::uint32_t find(const Header* wanted) noexcept {
        for (at_ = 0; at_ < reached.size(); ++at_) {
            const Header* const header = reached[at_].header;
            if (header == wanted) {
                return at_;
            }
            const TypeInfo* const type = header->type();
            if (type->kind == ObjectKind::words || (header->word & Header::kConstructing) != 0) {
                const auto* word = reinterpret_cast<void* const*>(header + 1);
                const auto* const end = reinterpret_cast<void* const*>(number_of(header) + size_of(header));
                for (; word < end; ++word) {
                    edge(word, *word);
                }
            } else if (type->trace != nullptr) {
                EdgeTeller teller(
                    [](void** slot, bool is_weak, void* context) noexcept {
                        if (!is_weak) {
                            static_cast<Search*>(context)->edge(slot, *slot);
                        }
                    },
                    this);
                type->trace(object_of(header), teller);
            }
        }
        return kNoParent;
    }

    PageVector<Reached> reached;

private:
    void edge(const void* slot, void* target) noexcept {
        if (target == nullptr) {
            return;
        }
        const FoundObject found = collector_.find_object(target);
        if (found.header != nullptr && add(found.header)) {
            const Header* const parent = reached[at_].header;
            const std::size_t offset = number_of(slot) - number_of(object_of(parent));
            const bool is_inside = offset < size_of(parent) && offset < UINT32_MAX;
            reached.push({.header = found.header,
                          .parent = at_,
                          .offset = is_inside ? static_cast<std::uint32_t>(offset) : UINT32_MAX,
                          .kind = RootKind::named,
                          .root_name = nullptr});
        }
    }
    /// False when it was there. Open addressing over addresses.
    bool add(const Header* header) noexcept {
        if ((count_ + 1) * 2 > table_.size()) {
            grow();
        }
        const std::size_t mask = table_.size() - 1;
        std::size_t place = (number_of(header) >> 3) * 0x9E37'79B9'7F4A'7C15U >> 16 & mask;
        while (table_[place] != nullptr) {
            if (table_[place] == header) {
                return false;
            }
            place = (place + 1) & mask;
        }
        table_[place] = header;
        ++count_;
        return true;
    }
    void grow() noexcept {
        PageVector<const Header*> known;
        for (const Header* const header : table_) {
            if (header != nullptr) {
                known.push(header);
            }
        }
        const std::size_t size = table_.empty() ? 1024 : table_.size() * 2;
        table_.clear();
        for (std::size_t place = 0; place < size; ++place) {
            table_.push(nullptr);
        }
        count_ = 0;
        for (const Header* const header : known) {
            static_cast<void>(add(header));
        }
    }

    Collector& collector_;
    PageVector<const Header*> table_;
    std::size_t count_ = 0;
    std::uint32_t at_ = 0;
};

void name_root(const Reached& root, TextBuffer& text) noexcept {
    switch (root.kind) {
        case RootKind::named: text.append("root"); break;
        case RootKind::handle: text.append("a handle of a scope"); break;
        case RootKind::stack: text.append("a word on a stack"); break;
        case RootKind::construction: text.append("a constructor that runs"); break;
        case RootKind::finaliser: text.append("a finaliser that waits"); break;
    }
    if (root.root_name != nullptr) {
        text.append(" '").append(root.root_name).append("'");
    }
}

void name_member(const Reached& step, TextBuffer& text) noexcept {
    if (step.offset == UINT32_MAX) {
        text.append("in a container");
    } else {
        text.append("+").append_decimal(step.offset);
    }
}

void print_path(const PageVector<Reached>& reached, std::uint32_t index, TextBuffer& text, PathStyle style) noexcept {
    PageVector<std::uint32_t> path;
    for (std::uint32_t at = index; at != kNoParent; at = reached[at].parent) {
        path.push(at);
    }
    const Reached& root = reached[path[path.size() - 1]];
    if (style == PathStyle::graphviz) {
        text.append("digraph path {\n  node [shape=box];\n  root [shape=ellipse, label=\"");
        name_root(root, text);
        text.append("\"];\n");
    } else {
        name_root(root, text);
        text.append("\n");
    }
    for (std::size_t left = path.size(); left-- > 0;) {
        const Reached& step = reached[path[left]];
        const void* const object = object_of(step.header);
        if (style == PathStyle::text) {
            text.append("  -> ");
            if (step.parent != kNoParent) {
                text.append("[");
                name_member(step, text);
                text.append("] ");
            }
            text.append(step.header->type()->name).append(" at ").append_pointer(object).append(" (");
            text.append_decimal(std::uint64_t{size_of(step.header)}).append(" bytes)\n");
            continue;
        }
        text.append("  n").append_decimal(std::uint64_t{path.size() - left}).append(" [label=\"");
        text.append(step.header->type()->name).append("\\n").append_pointer(object).append("\"];\n  ");
        if (step.parent == kNoParent) {
            text.append("root");
        } else {
            text.append("n").append_decimal(std::uint64_t{path.size() - left - 1});
        }
        text.append(" -> n").append_decimal(std::uint64_t{path.size() - left});
        if (step.parent != kNoParent) {
            text.append(" [label=\"");
            name_member(step, text);
            text.append("\"]");
        }
        text.append(";\n");
    }
    if (style == PathStyle::graphviz) {
        text.append("}\n");
    }
}

}  // namespace

}  // namespace detail

template <class Visit>
HEAPWRIGHT_GC_UNWATCHED void detail::Collector::for_each_stack_word(Mutator& self, Visit visit) noexcept {
    const auto each = [&](const void* begin, const void* end) HEAPWRIGHT_GC_UNWATCHED {
        for (const auto* word = static_cast<void* const*>(begin); word < end; ++word) {
            visit(*word);
        }
    };
    for (const Mutator* mutator = mutators; mutator != nullptr; mutator = mutator->next) {
        if (mutator == &self) {
            each(stack_pointer(), self.stack_end);
        } else {
            each(&mutator->registers, &mutator->registers + 1);
            each(mutator->stack_pointer, mutator->stack_end);
        }
    }
}

bool Heap::explain_object(const void* object, TextBuffer& text, PathStyle style) const noexcept {
    detail::Collector& collector = *collector_;
    detail::Mutator& self = detail::mutator_of(*this);
    collector.begin_look(self);
    detail::Search search(collector);
    // Roots that have a name are asked first: of several paths of one length, they say most.
    for (const detail::RootNode* node = collector.roots.next; node != &collector.roots; node = node->next) {
        search.from_root(node->target, detail::RootKind::named, node->name);
    }
    for (const detail::Mutator* mutator = collector.mutators; mutator != nullptr; mutator = mutator->next) {
        for (void** handle = mutator->handles_begin; handle != mutator->handles_top; ++handle) {
            search.from_root(*handle, detail::RootKind::handle, nullptr);
        }
        for (const detail::Construction* inner = mutator->constructing; inner != nullptr; inner = inner->outer) {
            search.from_root(inner->object, detail::RootKind::construction, nullptr);
        }
    }
    for (const detail::Finaliser& entry : collector.ready) {
        search.from_root(entry.object, detail::RootKind::finaliser, nullptr);
    }
    const detail::FoundObject wanted = object == nullptr ? detail::FoundObject{} : collector.find_object(object);
    std::uint32_t index = wanted.header == nullptr ? detail::kNoParent : search.find(wanted.header);
    if (index == detail::kNoParent && wanted.header != nullptr && collector.config.stack == StackScan::conservative) {
        // Words on stacks last: the caller's own pointer to the object is one of them.
        collector.for_each_stack_word(self, [&](void* word) { search.from_root(word, detail::RootKind::stack, nullptr); });
        index = search.find(wanted.header);
    }
    if (index != detail::kNoParent) {
        print_path(search.reached, index, text, style);
    }
    collector.end_look();
    return index != detail::kNoParent;
}

}  // namespace heapwright::gc
