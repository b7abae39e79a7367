// Long passes against reachability that is worked out another way: random programs that go on between the steps.
#include <algorithm>
#include <array>
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

struct Knot {
    explicit Knot(std::vector<bool>& all, std::size_t number) : alive(all), id(number) { alive[id] = true; }
    Knot(const Knot&) = delete;
    Knot& operator=(const Knot&) = delete;
    ~Knot() {
        CHECK(alive[id]);  // once
        alive[id] = false;
    }
    std::vector<bool>& alive;
    std::size_t id;
    std::vector<Rc<Knot>> to;
    using traced_members = Members<&Knot::to>;
    static constexpr bool kHandlesStay = true;
};

/// A program's graph, and its shadow: for each node how many handles are on the stack, and whom it refers to.
class Program {
public:
    explicit Program(std::uint64_t seed) : random_(seed) { alive_.reserve(100'000); }

    void act() {
        const std::uint64_t act = random_.below(11);
        if (act == 0 || held_.empty()) {
            make_ring(random_.between(1, 12));
        } else if (act == 1 || act == 2) {  // an edge, copied in
            link(any(), any());
        } else if (act == 3) {  // an edge, moved in
            const Rc<Knot> from = any();
            link(from, any());
            drop(random_.below(held_.size()));
        } else if (act <= 6) {
            drop(random_.below(held_.size()));
        } else if (act == 7) {  // walk
            const Rc<Knot> from = any();
            if (!from->to.empty()) {
                hold(from->to[random_.below(from->to.size())]);
            }
        } else if (act == 8) {  // walk, and cut the edge behind
            const Rc<Knot> from = any();
            if (!from->to.empty()) {
                hold(from->to.back());
                from->to.pop_back();
                shadow_[from->id].pop_back();
            }
        } else if (act == 9) {
            watched_.emplace_back(any());
        } else if (!watched_.empty()) {
            if (const Rc<Knot> kept = watched_[random_.below(watched_.size())].upgrade()) {
                hold(kept);
            }
        }
    }
    void drop_all() {
        while (!held_.empty()) {
            drop(held_.size() - 1);
        }
    }
    [[nodiscard]] std::vector<bool> reachable() const {
        std::vector<bool> seen(alive_.size());
        std::vector<std::size_t> stack;
        for (const Rc<Knot>& knot : held_) {
            stack.push_back(knot->id);
        }
        while (!stack.empty()) {
            const std::size_t id = stack.back();
            stack.pop_back();
            if (!seen[id]) {
                seen[id] = true;
                stack.insert(stack.end(), shadow_[id].begin(), shadow_[id].end());
            }
        }
        return seen;
    }
    [[nodiscard]] const std::vector<bool>& alive() const { return alive_; }
    [[nodiscard]] CycleCollector& collector() { return collector_; }
    [[nodiscard]] test::Random& random() { return random_; }

private:
    const Rc<Knot>& any() { return held_[random_.below(held_.size())]; }
    void hold(const Rc<Knot>& knot) { held_.push_back(knot); }
    void drop(std::size_t place) {
        std::swap(held_[place], held_.back());
        held_.pop_back();
    }
    void link(const Rc<Knot>& from, const Rc<Knot>& to) {
        shadow_[from->id].push_back(to->id);
        from->to.push_back(to);
    }
    void make_ring(std::uint64_t length) {
        Rc<Knot> last;
        const std::size_t first = held_.size();
        for (std::uint64_t count = 0; count < length; ++count) {
            alive_.push_back(false);
            shadow_.emplace_back();
            Rc<Knot> made = collector_.make<Knot>(alive_, alive_.size() - 1);
            if (last) {
                link(last, made);
            } else {
                hold(made);
            }
            last = std::move(made);
        }
        link(last, Rc<Knot>(held_[first]));
    }

    test::Random random_;
    std::vector<bool> alive_;
    std::vector<std::vector<std::size_t>> shadow_;
    CycleCollector collector_;
    std::vector<Rc<Knot>> held_;
    std::vector<WeakRc<Knot>> watched_;
};

void require_nothing_reachable_freed(const Program& program) {
    const std::vector<bool> reachable = program.reachable();
    for (std::size_t id = 0; id < reachable.size(); ++id) {
        REQUIRE(program.alive()[id] >= reachable[id]);
    }
}

TEST_CASE("random programs between the steps of long passes: nothing reachable is freed, and in the end nothing else is left") {
    std::size_t freed_in_steps = 0;
    for (std::uint64_t history = 0; history < 60; ++history) {
        Program program{history};
        const std::uint64_t rest = program.random().between(1, 12);  // calls come this often
        for (int step = 0; step < 1200; ++step) {
            program.act();
            if (program.random().one_in(rest)) {
                const std::size_t budget = program.random().between(1, 6);
                const Collection collection = program.collector().collect(budget);
                REQUIRE(collection.visited <= budget);
                freed_in_steps += collection.freed;
            }
            REQUIRE(program.collector().broken_invariant() == nullptr);
            if (step % 40 == 0) {
                require_nothing_reachable_freed(program);
            }
            if (program.random().one_in(400)) {
                static_cast<void>(program.collector().collect_all());
                REQUIRE(program.alive() == program.reachable());
            }
        }
        // Nothing changes any more: bounded calls find all that there is.
        for (int call = 0; call < 200'000 && program.alive() != program.reachable(); ++call) {
            REQUIRE(program.collector().collect(7).visited <= 7);
        }
        REQUIRE(program.alive() == program.reachable());
        program.drop_all();
        static_cast<void>(program.collector().collect_all());
        REQUIRE(program.collector().live_nodes() == 0);
    }
    MESSAGE("freed in steps: ", freed_in_steps);
    CHECK(freed_in_steps > 100);
}

}  // namespace
}  // namespace heapwright
