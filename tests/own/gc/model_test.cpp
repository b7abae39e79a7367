#include <array>
#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/own/gc/make.hpp>
#include <heapwright/own/gc/root.hpp>
#include <heapwright/own/gc/weak.hpp>

#include <tests/support/random.hpp>

namespace gc = heapwright::gc;
using heapwright::test::Random;

namespace {

/// Which of the model's objects the heap has destroyed.
std::vector<bool>* destroyed = nullptr;

struct Node {
    static constexpr std::size_t kEdges = 4;

    explicit Node(std::size_t its_id) : id(its_id) {}
    ~Node() { (*destroyed)[id] = true; }
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;
    void trace(gc::Tracer& tracer) const {
        // The order in which members are told must not matter.
        static std::size_t turn = 0;
        ++turn;
        for (std::size_t edge = 0; edge < kEdges; ++edge) {
            tracer(edges[(edge + turn) % kEdges]);
        }
        tracer(weak);
    }

    std::size_t id;
    std::array<gc::Ptr<Node>, kEdges> edges;
    gc::Weak<Node> weak;
    std::array<std::byte, 8> sized_rest{};
};

/// The same graph, kept beside the heap: what is reachable is computed from this alone.
struct Model {
    static constexpr std::size_t kNone = SIZE_MAX;
    struct Shadow {
        Node* real;
        std::array<std::size_t, Node::kEdges> edges;
        std::size_t weak;
    };

    explicit Model(const gc::GcConfig& config, std::uint64_t salt) : heap(config), random(salt) { destroyed = &dead; }
    ~Model() {
        roots.clear();
        root_ids.clear();
    }
    Model(const Model&) = delete;
    Model& operator=(const Model&) = delete;

    [[nodiscard]] std::set<std::size_t> reachable() const {
        std::set<std::size_t> seen;
        std::vector<std::size_t> waiting(root_ids);
        while (!waiting.empty()) {
            const std::size_t id = waiting.back();
            waiting.pop_back();
            if (id != kNone && seen.insert(id).second) {
                waiting.insert(waiting.end(), shadows[id].edges.begin(), shadows[id].edges.end());
            }
        }
        return seen;
    }
    /// One of those that the program can still name.
    std::size_t any_live() {
        const auto live = reachable();
        if (live.empty()) {
            return kNone;
        }
        auto chosen = live.begin();
        std::advance(chosen, static_cast<std::ptrdiff_t>(random.below(live.size())));
        return *chosen;
    }
    std::size_t make() {
        const std::size_t id = shadows.size();
        dead.push_back(false);
        shadows.push_back({.real = nullptr, .edges = {}, .weak = kNone});
        shadows.back().edges.fill(kNone);
        const std::size_t extra = random.one_in(50) ? random.below(100'000) : random.below(300);
        auto made = random.one_in(3) ? gc::try_make_sized<Node>(heap, extra, id) : gc::try_make<Node>(heap, id);
        REQUIRE(made.has_value());
        shadows[id].real = made->get();
        return id;
    }
    void hold(std::size_t id) {
        if (roots.size() < 12) {
            roots.emplace_back(heap, gc::Ptr<Node>(shadows[id].real));
            root_ids.push_back(id);
        } else {
            const std::size_t index = random.below(roots.size());
            roots[index] = gc::Ptr<Node>(shadows[id].real);
            root_ids[index] = id;
        }
    }
    void step() {
        const auto choice = random.below(10);
        if (choice < 5 || root_ids.empty()) {
            const std::size_t parent = any_live();
            const std::size_t id = make();
            if (parent == kNone || random.one_in(8)) {
                hold(id);
            } else {
                set(parent, random.below(Node::kEdges), id);
            }
        } else if (choice < 8) {
            const std::size_t from = any_live();
            const std::size_t to = random.one_in(4) ? kNone : any_live();
            if (from != kNone) {
                set(from, random.below(Node::kEdges), to);
                if (to != kNone && random.one_in(2)) {
                    shadows[from].weak = to;
                    shadows[from].real->weak = gc::Ptr<Node>(shadows[to].real);
                }
            }
        } else if (choice < 9) {
            const std::size_t id = any_live();
            if (id != kNone) {
                hold(id);
            }
        } else {
            const std::size_t index = random.below(roots.size());
            roots[index] = nullptr;
            root_ids[index] = kNone;
        }
    }
    void set(std::size_t from, std::size_t edge, std::size_t to) {
        shadows[from].edges[edge] = to;
        shadows[from].real->edges[edge] = gc::Ptr<Node>(to == kNone ? nullptr : shadows[to].real);
    }
    /// Whatever can be reached is whole and refers to what it should; after a full collection nothing else is left.
    void compare(bool exactly) {
        const auto live = reachable();
        for (const std::size_t id : live) {
            REQUIRE_FALSE(dead[id]);
            const Shadow& shadow = shadows[id];
            REQUIRE(shadow.real->id == id);
            for (std::size_t edge = 0; edge < Node::kEdges; ++edge) {
                const std::size_t to = shadow.edges[edge];
                REQUIRE(shadow.real->edges[edge].get() == (to == kNone ? nullptr : shadows[to].real));
            }
            const auto weak = shadow.real->weak.lock();
            if (shadow.weak == kNone) {
                REQUIRE(weak == nullptr);
            } else if (live.contains(shadow.weak)) {
                REQUIRE(weak.get() == shadows[shadow.weak].real);
            } else if (exactly) {
                REQUIRE(weak == nullptr);
            }
        }
        if (exactly) {
            for (std::size_t id = 0; id < shadows.size(); ++id) {
                REQUIRE(dead[id] == !live.contains(id));
            }
        }
    }

    std::vector<bool> dead;
    gc::Heap heap;
    Random random;
    std::vector<gc::Root<Node>> roots;
    std::vector<std::size_t> root_ids;
    std::vector<Shadow> shadows;
};

void run_model(const gc::GcConfig& config, std::size_t steps, std::uint64_t salt) {
    Model model(config, salt);
    for (std::size_t step = 0; step < steps; ++step) {
        model.step();
        if (step % 16 == 0) {
            const char* const broken = model.heap.broken_invariant();
            REQUIRE_MESSAGE(broken == nullptr, broken);
        }
        if (step % 100 == 99) {
            model.compare(false);
        }
        if (step % 300 == 299) {
            model.heap.collect();
            model.heap.safepoint();
            model.compare(true);
        }
    }
    model.heap.collect();
    model.compare(true);
}

gc::GcConfig exact() {
    gc::GcConfig config;
    config.stack = gc::StackScan::none;
    config.nursery_bytes = config.nursery_most_bytes = 20'000;
    config.threshold_bytes = 60'000;
    config.step_bytes = 3'000;
    config.pause_budget_ns = 20'000;
    config.verify_always = true;
    config.markers = 1;
    return config;
}

}  // namespace

TEST_CASE("a random program agrees with a model of its graph: generations and steps") { run_model(exact(), 3000, 1); }

TEST_CASE("a random program agrees with a model of its graph: generations, everything in one pause") {
    auto config = exact();
    config.incremental = false;
    run_model(config, 3000, 2);
}

TEST_CASE("a random program agrees with a model of its graph: every collection looks at everything") {
    auto config = exact();
    config.generational = false;
    config.incremental = false;
    run_model(config, 3000, 3);
}

TEST_CASE("a random program agrees with a model of its graph: a collection at every allocation") {
    auto config = exact();
    config.stress = 1;
    run_model(config, 1200, 4);
}

TEST_CASE("a random program agrees with a model of its graph: a mark stack of sixteen entries") {
    auto config = exact();
    config.mark_stack_entries = 16;
    config.stress = 7;
    run_model(config, 2000, 5);
}

TEST_CASE("a random program agrees with a model of its graph: steps that do almost nothing") {
    auto config = exact();
    config.pause_budget_ns = 1;
    config.step_bytes = 200;
    run_model(config, 3000, 6);
}
