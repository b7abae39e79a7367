// What does a node cost that a cycle keeps: made, linked, dropped and collected; and a pass that finds nothing?
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <heapwright/own/rc/cycle_collector.hpp>
#include <heapwright/own/rc/rc.hpp>

#include <bench/own/cell_rows.hpp>

namespace {

using namespace heapwright;

constexpr int kNodes = 1'000'000;
constexpr int kPerCollection = 10'000;

struct Node {
    Rc<Node> next;
    std::uint64_t number = 0;
    using traced_members = Members<&Node::next>;
};

struct Doubly {
    Rc<Doubly> next;
    Rc<Doubly> previous;
    using traced_members = Members<&Doubly::next, &Doubly::previous>;
};

/// The same with the promise that lets a collection go on from call to call.
struct Staying {
    Rc<Staying> next;
    Rc<Staying> previous;
    using traced_members = Members<&Staying::next, &Staying::previous>;
    static constexpr bool kHandlesStay = true;
};

struct Shared {
    std::shared_ptr<Shared> next;
    std::uint64_t number = 0;
};

struct Raw {
    Raw* next = nullptr;
    std::uint64_t number = 0;
};

/// The collector that a row uses from its first round to its last, as a program would.
CycleCollector& collector() {
    static CycleCollector the_one;
    return the_one;
}

void rings(int length) {
    CycleCollector& nodes = collector();
    for (int made = 0; made < kNodes;) {
        Rc<Node> first = nodes.make<Node>();
        Rc<Node> last = first;
        for (int count = 1; count < length; ++count) {
            Rc<Node> node = nodes.make<Node>();
            last->next = node;
            last = std::move(node);
        }
        last->next = std::move(first);
        made += length;
        last.reset();
        if (made % kPerCollection < length) {
            static_cast<void>(nodes.collect());
        }
    }
    static_cast<void>(nodes.collect_all());
}

void shared_rings(int length) {
    for (int made = 0; made < kNodes; made += length) {
        auto first = std::make_shared<Shared>();
        auto last = first;
        for (int count = 1; count < length; ++count) {
            auto node = std::make_shared<Shared>();
            last->next = node;
            last = std::move(node);
        }
        last->next = first;
        // By hand, and node by node, so that nothing recurses.
        auto next = std::move(first->next);
        while (next != nullptr && next != first) {
            next = std::exchange(next->next, nullptr);
        }
    }
}

void raw_rings(int length) {
    for (int made = 0; made < kNodes; made += length) {
        Raw* const first = new Raw;
        Raw* last = first;
        for (int count = 1; count < length; ++count) {
            last->next = new Raw;
            last = last->next;
        }
        bench::escape(first);
        for (Raw* node = first; node != nullptr;) {
            delete std::exchange(node, node->next);
        }
    }
}

template <class Policy>
struct Link {
    Counted<Link, Policy> next;
    std::uint64_t number = 0;
};

/// A million living nodes in one piece, each touched before each pass.
void touched_passes(int passes) {
    CycleCollector nodes;
    std::vector<Rc<Node>> all;
    all.reserve(kNodes);
    for (int count = 0; count < kNodes; ++count) {
        all.push_back(nodes.make<Node>());
        if (count > 0) {
            all[static_cast<std::size_t>(count) - 1]->next = all.back();
        }
    }
    all.back()->next = all.front();
    double ns = 0;
    for (int pass = 0; pass < passes; ++pass) {
        for (const Rc<Node>& node : all) {
            const Rc<Node> copy = node;
            bench::escape(&copy);
        }
        const double begin = bench::thread_cpu_ns();
        static_cast<void>(nodes.collect());
        ns += bench::thread_cpu_ns() - begin;
    }
    std::printf(
        "{\"group\": \"cycles\", \"row\": \"a pass wasted on 1M living nodes, of %d\", \"who\": \"heapwright CycleCollector\", \"value\": "
        "%.4f, "
        "\"unit\": \"ms\"}\n",
        passes, ns / passes / 1e6);
    all.front()->next = nullptr;
    all.clear();
}

template <class Link>
void make_list(CycleCollector& nodes, int count) {
    const Rc<Link> first = nodes.make<Link>();
    Rc<Link> last = first;
    for (int made = 1; made < count; ++made) {
        Rc<Link> node = nodes.make<Link>();
        node->previous = last;
        last->next = node;
        last = std::move(node);
    }
}

void tell(const char* row, double value, const char* unit) {
    std::printf("{\"group\": \"cycles\", \"row\": \"%s\", \"who\": \"heapwright CycleCollector\", \"value\": %.4f, \"unit\": \"%s\"}\n",
                row, value, unit);
}

/// The same garbage, in calls that visit no more than ten thousand nodes each.
void large_garbage_in_steps(int count) {
    CycleCollector nodes;
    make_list<Staying>(nodes, count);
    double all_ns = 0;
    double longest_ns = 0;
    while (nodes.live_nodes() > 0) {
        const double begin = bench::thread_cpu_ns();
        static_cast<void>(nodes.collect(kPerCollection, Overdraft::never));
        const double ns = bench::thread_cpu_ns() - begin;
        all_ns += ns;
        longest_ns = ns > longest_ns ? ns : longest_ns;
    }
    tell("a doubly linked list of 1M, collected by 10000 at a time", all_ns / 1e6 * kNodes / count, "ms");
    tell("a doubly linked list of 1M, the longest call of 10000", longest_ns / 1e6, "ms");
}

/// What a collection of one large piece of garbage takes.
void large_garbage(int count) {
    CycleCollector nodes;
    make_list<Doubly>(nodes, count);
    const double begin = bench::thread_cpu_ns();
    static_cast<void>(nodes.collect());
    tell("a doubly linked list of 1M, collected", (bench::thread_cpu_ns() - begin) / 1e6 * kNodes / count, "ms");
}

}  // namespace

int main(int count, char** arguments) {
    bench::Rows rows;
    for (const int length : {2, 10, 1000}) {
        const std::string row = "rings of " + std::to_string(length) + " made and collected, a node";
        rows.add("cycles", row, "heapwright CycleCollector", kNodes, [length] { rings(length); });
        rows.add("cycles", row, "std::shared_ptr, broken by hand", kNodes, [length] { shared_rings(length); });
        rows.add("cycles", row, "new and delete, no counts", kNodes, [length] { raw_rings(length); });
    }
    rows.add("handles", "a chain of 1M made and dropped, a node", "heapwright Rc", kNodes, [] {
        Rc<Link<SingleThread>> head;
        for (int made = 0; made < kNodes; ++made) {
            auto link = make_rc<Link<SingleThread>>();
            link->next = std::move(head);
            head = std::move(link);
        }
    });
    rows.add("handles", "a chain of 1M made and dropped, a node", "heapwright Arc", kNodes, [] {
        Arc<Link<ManyThreads>> head;
        for (int made = 0; made < kNodes; ++made) {
            auto link = make_arc<Link<ManyThreads>>();
            link->next = std::move(head);
            head = std::move(link);
        }
    });
    const int status = rows.start(count, arguments);
    if (count <= 2) {  // not where rows were chosen or instructions are counted
        touched_passes(count > 1 && std::atoi(arguments[1]) < 2 ? 2 : 100);
        large_garbage(kNodes);
        large_garbage_in_steps(kNodes);
    }
    return status;
}
