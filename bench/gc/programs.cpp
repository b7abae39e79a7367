// How fast are trees, caches, graphs, maps and threads with collected memory, and how long does it pause? Eight programs.
//
// Usage: programs NAME SIZE. Prints: seconds, checksum, pauses, and their median, 99th percentile and longest in ms.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <thread>

#include <bench/gc/memory.hpp>

using bench::Array;
using bench::drop;
using bench::global;
using bench::make;
using bench::make_array;
using bench::Ref;

namespace {

struct Node {
    Ref<Node> left{};
    Ref<Node> right{};
    Node() = default;
    Node(Ref<Node> its_left, Ref<Node> its_right) : left(its_left), right(its_right) {}
    BENCH_TRACE(left, right)
    void end_members() {
        drop(left);
        drop(right);
    }
};

/// An arena for each tree, where that is how memory is managed.
struct TreeScope {
#if defined(BENCH_MONOTONIC)
    std::pmr::monotonic_buffer_resource resource{1 << 16};
    std::pmr::monotonic_buffer_resource* outer = std::exchange(bench::arena, &resource);
    ~TreeScope() { bench::arena = outer; }
#else
    TreeScope() {}
    ~TreeScope() {}
#endif
};

Ref<Node> bottom_up(int depth) {
    if (depth <= 0) {
        return make<Node>();
    }
    auto left = bottom_up(depth - 1);
    auto right = bottom_up(depth - 1);
    return make<Node>(left, right);
}

void top_down(int depth, Node* node) {
    if (depth <= 0) {
        return;
    }
    node->left = make<Node>();
    node->right = make<Node>();
    top_down(depth - 1, &*node->left);
    top_down(depth - 1, &*node->right);
}

std::uint64_t count(const Ref<Node>& node) { return node ? 1 + count(node->left) + count(node->right) : 0; }

std::uint64_t tree_size(int depth) { return (std::uint64_t{1} << (depth + 1)) - 1; }

/// The classic: a stretch tree, a long-lived tree and array, and trees of growing depth made both ways.
std::uint64_t gcbench(int depth) {
    const int long_depth = depth - 2;
    const TreeScope all;
    {
        const TreeScope scope;
        auto stretch = bottom_up(depth);
        drop(stretch);
    }
    auto long_lived = global(make<Node>());
    top_down(long_depth, &*long_lived);
    auto array = global(make_array<double>(std::size_t{1} << (depth + 1)));
    for (std::size_t index = 0; index < array->size() / 2; ++index) {
        (*array)[index] = 1.0 / static_cast<double>(index + 1);
    }
    std::uint64_t made = 0;
    for (int small = 4; small <= long_depth; small += 2) {
        const std::uint64_t rounds = 2 * tree_size(depth) / tree_size(small);
        for (std::uint64_t round = 0; round < 2 * rounds; ++round) {
            const TreeScope scope;
            Ref<Node> tree{};
            if (round < rounds) {
                tree = make<Node>();
                top_down(small, &*tree);
            } else {
                tree = bottom_up(small);
            }
            made += tree_size(small);
            drop(tree);
        }
    }
    return made + count(long_lived) + ((*array)[1000] == 1.0 / 1001 ? 1 : 0);
}

/// Of the benchmarks game.
std::uint64_t binary_trees(int depth) {
    std::uint64_t sum = 0;
    const TreeScope all;
    {
        const TreeScope scope;
        auto stretch = bottom_up(depth + 1);
        sum += count(stretch);
        drop(stretch);
    }
    auto long_lived = global(bottom_up(depth));
    for (int small = 4; small <= depth; small += 4) {
        for (int round = 0; round < 1 << (depth - small + 4); ++round) {
            const TreeScope scope;
            auto tree = bottom_up(small);
            sum += count(tree);
            drop(tree);
        }
    }
    return sum + count(long_lived);
}

struct Random {
    std::uint64_t state = 42;
    std::uint64_t next() {
        state ^= state << 13;
        state ^= state >> 7;
        return state ^= state << 17;
    }
};

struct Text {
    static constexpr bool gc_leaf = true;
    char letters[48];
    void end_members() {}
};
struct Entry {
    std::uint64_t key = 0;
    Ref<Text> text{};
    Ref<Entry> next{};
    BENCH_TRACE(text, next)
    void end_members() { drop(text); }  // its neighbours are not its own
};

std::uint64_t use(Text& text, std::uint64_t number) {
    std::snprintf(text.letters, sizeof(text.letters), "entry %llu", static_cast<unsigned long long>(number));
    return static_cast<std::uint64_t>(text.letters[6]);
}

/// A table of entries with texts: filled once, then each round replaces one in `churn` look-ups.
std::uint64_t table_program(std::size_t size, std::uint64_t rounds, std::uint64_t churn) {
    auto table = global(make_array<Ref<Entry>>(size));
    Random random;
    std::uint64_t sum = 0;
    for (std::uint64_t round = 0; round < rounds; ++round) {
        const std::size_t place = round < size ? round : random.next() % size;
        auto& slot = (*table)[place];
        if (round < size || round % churn == 0) {
            auto entry = make<Entry>();
            auto text = make<Text>();
            sum += use(*text, round);
            entry->key = round;
            entry->text = text;
            Ref<Entry> gone = slot;
            slot = entry;
            drop(gone);
        } else {
            sum += slot->key + static_cast<std::uint64_t>(slot->text->letters[0]);
        }
    }
    return sum;
}

#if defined(BENCH_HEAPWRIGHT) || defined(BENCH_BDWGC)
struct Vertex {
    Ref<Vertex> edges[4]{};
    std::uint64_t number = 0;
    BENCH_TRACE(edges)
};

/// Vertices refer to each other at random; they are replaced and their edges rewired, and nobody knows who is the last to refer
/// to one. Only collected memory can run it as it is.
std::uint64_t graph(std::size_t size) {
    auto table = global(make_array<Ref<Vertex>>(size));
    Random random;
    for (std::size_t place = 0; place < size; ++place) {
        (*table)[place] = make<Vertex>();
        (*table)[place]->number = place;
    }
    std::uint64_t sum = 0;
    for (std::uint64_t round = 0; round < size * 8; ++round) {
        auto& slot = (*table)[random.next() % size];
        if (round % 4 == 0) {
            auto vertex = make<Vertex>();
            vertex->number = round;
            vertex->edges[0] = (*table)[random.next() % size];
            slot = vertex;
        }
        slot->edges[random.next() % 4] = (*table)[random.next() % size];
        for (Vertex* at = &*slot; at != nullptr && at->number % 4 != 3;
             at = at->edges[at->number % 4] ? &*at->edges[at->number % 4] : nullptr) {
            sum += at->number;
            if (++round % 16 == 0) {
                break;
            }
        }
    }
    return sum;
}
#endif

#if defined(BENCH_HEAPWRIGHT) || defined(BENCH_BDWGC)
/// A large tree that lives, marked whole ten times.
std::uint64_t marking(int depth) {
    auto kept = global(bottom_up(depth));
    bench::pauses_ms.clear();
    for (int round = 0; round < 10; ++round) {
        bench::collect();
    }
    return count(kept);
}
#endif

/// A large tree that lives, and small ones that come, go and are hung into it.
std::uint64_t live(int depth) {
    const TreeScope all;
    auto kept = global(bottom_up(depth));
    bench::pauses_ms.clear();
    Random random;
    std::uint64_t sum = 0;
    for (int round = 0; round < 20'000; ++round) {
        const TreeScope scope;
        auto tree = bottom_up(8);
        sum += count(tree);
        if (round % 4 != 0) {
            drop(tree);
            continue;
        }
        Node* at = &*kept;
        for (int level = 0; level < depth - 9; ++level) {
            at = random.next() % 2 == 0 ? &*at->left : &*at->right;
        }
        Ref<Node> gone = at->left;
        at->left = tree;
        drop(gone);
    }
    return sum;
}

/// Two threads with trees of their own.
std::uint64_t threads(int depth) {
    std::uint64_t sums[2] = {};
    const auto work = [&](std::uint64_t& sum) {
#if defined(BENCH_BDWGC)
        GC_stack_base base{};
        GC_get_stack_base(&base);
        GC_register_my_thread(&base);
#else
        [[maybe_unused]] const auto attached = bench::thread();
#endif
        const TreeScope all;
        auto kept = global(bottom_up(depth - 2));
        for (int round = 0; round < 400; ++round) {
            const TreeScope scope;
            auto tree = bottom_up(depth - 4);
            sum += count(tree);
            drop(tree);
        }
        sum += count(kept);
#if defined(BENCH_BDWGC)
        GC_unregister_my_thread();
#endif
    };
    {
        std::jthread other([&] { work(sums[0]); });
#if defined(BENCH_BDWGC)
        std::jthread second([&] { work(sums[1]); });
#else
        work(sums[1]);
#endif
        [[maybe_unused]] const auto waiting = bench::waiting();
        other.join();
    }
    return sums[0] + sums[1];
}

}  // namespace

int main(int arguments, char** words) {
    if (arguments != 3) {
        std::fprintf(stderr, "usage: programs NAME SIZE\n");
        return 2;
    }
    const std::string_view name = words[1];
    const int size = std::atoi(words[2]);
    const auto many = static_cast<std::size_t>(size);
    bench::begin();
    const double begin_s = bench::seconds();
    std::uint64_t sum = 0;
    if (name == "gcbench") {
        sum = gcbench(size);
    } else if (name == "binary-trees") {
        sum = binary_trees(size);
    } else if (name == "cache") {
        sum = table_program(many, many * 20, 2);
    } else if (name == "map") {
        sum = table_program(many, many * 20, 20);
#if !defined(BENCH_MONOTONIC)
    } else if (name == "live") {
        sum = live(size);
#endif
    } else if (name == "threads") {
        sum = threads(size);
#if defined(BENCH_HEAPWRIGHT) || defined(BENCH_BDWGC)
    } else if (name == "graph") {
        sum = graph(many);
    } else if (name == "marking") {
        sum = marking(size);
#endif
    } else {
        return 3;  // not for this way to manage memory
    }
    bench::report(bench::seconds() - begin_s, sum);
    std::fflush(stdout);
    std::_Exit(0);  // what is left at the end is nobody's business
}
