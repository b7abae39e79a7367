// The cycle collector against reachability that is worked out another way, through random histories.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/own/rc/cycle_collector.hpp>
#include <heapwright/own/rc/rc.hpp>

#include <tests/support/random.hpp>

namespace heapwright {
namespace {

/// Garbage by another way: a count of paths from what is held, by plain vectors.
struct Model {
    struct Node {
        bool exists = false;
        std::uint32_t held = 0;
        std::vector<std::size_t> to;
    };
    std::vector<Node> nodes;

    [[nodiscard]] std::vector<bool> reachable() const {
        std::vector<bool> seen(nodes.size());
        std::vector<std::size_t> stack;
        for (std::size_t id = 0; id < nodes.size(); ++id) {
            if (nodes[id].exists && nodes[id].held > 0) {
                seen[id] = true;
                stack.push_back(id);
            }
        }
        while (!stack.empty()) {
            const std::size_t id = stack.back();
            stack.pop_back();
            for (const std::size_t next : nodes[id].to) {
                if (!seen[next]) {
                    seen[next] = true;
                    stack.push_back(next);
                }
            }
        }
        return seen;
    }
};

struct Labelled {
    static inline std::vector<bool>* alive = nullptr;
    explicit Labelled(std::size_t number) : id(number) { (*alive)[id] = true; }
    Labelled(const Labelled&) = delete;
    Labelled& operator=(const Labelled&) = delete;
    ~Labelled() {
        CHECK((*alive)[id]);  // once
        (*alive)[id] = false;
    }
    std::size_t id;
    std::vector<Rc<Labelled>> to;
    using traced_members = Members<&Labelled::to>;
};

TEST_CASE("after any history nothing reachable is freed, and after collect_all nothing else is left") {
    test::Random random{5};
    for (int history = 0; history < 30; ++history) {
        std::vector<bool> alive;
        Labelled::alive = &alive;
        CycleCollector collector;
        Model model;
        std::vector<Rc<Labelled>> held;
        const std::uint64_t kinds = random.between(5, 11);
        for (int step = 0; step < 1500; ++step) {
            const std::uint64_t act = random.below(kinds);
            if (act == 0 || held.empty()) {
                alive.push_back(false);
                model.nodes.push_back({.exists = true, .held = 1, .to = {}});
                held.push_back(collector.make<Labelled>(alive.size() - 1));
            } else if (act == 1 || act == 2) {
                const Rc<Labelled>& from = held[random.below(held.size())];
                const Rc<Labelled>& to = held[random.below(held.size())];
                from->to.push_back(to);
                model.nodes[from->id].to.push_back(to->id);
            } else if (act == 9) {  // move a handle into a node: no count changes, and no candidate is made
                const Rc<Labelled> from = held[random.below(held.size())];
                const std::size_t place = random.below(held.size());
                const std::size_t id = held[place]->id;
                from->to.push_back(std::move(held[place]));
                held[place] = std::move(held.back());
                held.pop_back();
                --model.nodes[id].held;
                model.nodes[from->id].to.push_back(id);
            } else if (act == 3) {
                const std::size_t victim = random.below(held.size());
                --model.nodes[held[victim]->id].held;
                held[victim] = held.back();
                held.pop_back();
            } else if (act == 4) {  // walk along an edge, and hold what is there
                const Rc<Labelled>& from = held[random.below(held.size())];
                if (!from->to.empty()) {
                    Rc<Labelled> next = from->to[random.below(from->to.size())];
                    ++model.nodes[next->id].held;
                    held.push_back(next);
                }
            } else if (act == 5) {  // move an edge out of a node: no count changes
                const Rc<Labelled> from = held[random.below(held.size())];
                if (!from->to.empty()) {
                    Rc<Labelled> next = std::move(from->to.back());
                    from->to.pop_back();
                    model.nodes[from->id].to.pop_back();
                    ++model.nodes[next->id].held;
                    held.push_back(std::move(next));
                }
            } else if (act == 6) {
                static_cast<void>(collector.collect());
            } else {
                static_cast<void>(collector.collect(random.between(1, 40)));
            }
            REQUIRE(collector.broken_invariant() == nullptr);
            if (step % 50 == 0) {
                const std::vector<bool> reachable = model.reachable();
                for (std::size_t id = 0; id < alive.size(); ++id) {
                    REQUIRE(alive[id] >= reachable[id]);
                }
            }
            if (random.one_in(300)) {
                static_cast<void>(collector.collect_all());
                REQUIRE(alive == model.reachable());
            }
        }
        held.clear();
        static_cast<void>(collector.collect_all());
        CHECK(collector.live_nodes() == 0);
        CHECK(alive == std::vector<bool>(alive.size()));
    }
}

TEST_CASE("garbage of any age is found without collect_all when nodes are made and collect is called") {
    test::Random random{6};
    std::vector<bool> alive;
    Labelled::alive = &alive;
    CycleCollector collector;
    std::vector<Rc<Labelled>> held;
    std::uint64_t most = 0;
    for (int step = 0; step < 20'000; ++step) {
        alive.push_back(false);
        Rc<Labelled> made = collector.make<Labelled>(alive.size() - 1);
        made->to.push_back(made);
        if (!held.empty()) {
            const Rc<Labelled> other = held[random.below(held.size())];
            made->to.push_back(other);
            if (other->to.size() < 5) {
                other->to.push_back(made);
            }
        }
        held.push_back(made);
        if (held.size() > 100) {
            held.erase(held.begin(), held.begin() + 50);
        }
        if (step % 100 == 0) {
            static_cast<void>(collector.collect());
            if (random.one_in(20)) {
                for (const Rc<Labelled>& node : held) {
                    node->to.clear();
                }
            }
            most = std::max(most, collector.live_nodes());
        }
    }
    MESSAGE("most nodes at one time: ", most, " of ", alive.size());
    CHECK(most < 15'000);
    held.clear();
    static_cast<void>(collector.collect_all());
    CHECK(collector.live_nodes() == 0);
}

}  // namespace
}  // namespace heapwright
