// Runs what programs do most with counted handles, and with their peers, under callgrind, with a dump of the count after each.
//
// Built like a release whatever the preset: the counts are of what users get.
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include <heapwright/own/rc/biased_counts.hpp>
#include <heapwright/own/rc/cycle_collector.hpp>
#include <heapwright/own/rc/rc.hpp>

#include <tests/support/instruction_counts.hpp>

#if __has_include(<boost/smart_ptr/intrusive_ref_counter.hpp>)
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>
#define HAS_BOOST 1
#endif

namespace {

using namespace heapwright;

using test::escape;

/// Fewer than usual: an operation may be a thousand nodes.
template <class Act>
void count(const char* name, Act act) {
    test::count<50>(name, act);
}

struct Eight {
    long number = 0;
};
struct Ends {
    long number = 0;
    ~Ends() { escape(this); }
};

template <class Handle>
void count_copy(const char* name, Handle handle) {
    count(name, [at = &handle] {
        const Handle copy = *at;
        escape(&copy);
    });
}
template <class Make>
void count_make(const char* name, Make make) {
    count(name, [make] {
        const auto made = make();
        escape(&made);
    });
}

struct Ring {
    Rc<Ring> next;
    long number = 0;
    using traced_members = Members<&Ring::next>;
};

/// `kNodes` nodes in rings, made, linked, dropped and collected: the count is of all of them.
constexpr int kNodes = 1000;
void count_rings(const char* name, int length) {
    CycleCollector collector;
    count(name, [at = &collector, length] {
        for (int ring = 0; ring < kNodes / length; ++ring) {
            Rc<Ring> first = at->make<Ring>();
            Rc<Ring> last = first;
            for (int more = 1; more < length; ++more) {
                Rc<Ring> node = at->make<Ring>();
                last->next = node;
                last = std::move(node);
            }
            last->next = std::move(first);
        }
        static_cast<void>(at->collect());
    });
}

void count_wasted_pass() {
    CycleCollector collector;
    std::vector<Rc<Ring>> all;
    for (int made = 0; made < kNodes; ++made) {
        all.push_back(collector.make<Ring>());
        if (made > 0) {
            all[static_cast<std::size_t>(made) - 1]->next = all.back();
        }
    }
    all.back()->next = all.front();
    count("1000 living nodes touched and walked", [at = &all, of = &collector] {
        for (const Rc<Ring>& node : *at) {
            const Rc<Ring> copy = node;
            escape(&copy);
        }
        static_cast<void>(of->collect_all());
    });
    all.front()->next = nullptr;
}

template <class Policy>
void count_ours(const char* copy, const char* make, const char* make_and_destroy, const char* upgrade) {
    count_copy(copy, make_counted<Eight, Policy>());
    count_make(make, [] { return make_counted<Eight, Policy>(); });
    count_make(make_and_destroy, [] { return make_counted<Ends, Policy>(); });
    const auto handle = make_counted<Eight, Policy>();
    const WeakCounted<Eight, Policy> weak = handle;
    count_make(upgrade, [at = &weak] { return at->upgrade(); });
}

}  // namespace

int main() {
    std::thread([] {}).join();  // libstdc++'s counts are atomic from now on
    count("nothing", [] {});
    count_ours<SingleThread>("Rc copy and drop", "Rc make and drop", "Rc make and drop, with a destructor", "WeakRc upgrade and drop");
    count_ours<ManyThreads>("Arc copy and drop", "Arc make and drop", "Arc make and drop, with a destructor", "WeakArc upgrade and drop");
    count_ours<Biased>("BiasedArc copy and drop", "BiasedArc make and drop", "BiasedArc make and drop, with a destructor",
                       "WeakBiasedArc upgrade and drop");
    const auto handle = make_rc<Eight>();
    count("Rc get", [at = &handle] { escape(reinterpret_cast<const void*>((*at)->number)); });
    count_rings("1000 nodes in rings of 2, made and collected", 2);
    count_rings("1000 nodes in rings of 10, made and collected", 10);
    count_rings("1000 nodes in rings of 1000, made and collected", 1000);
    count_wasted_pass();
    count_copy("std::shared_ptr copy and drop", std::make_shared<Eight>());
    count_make("std::shared_ptr make and drop", [] { return std::make_shared<Eight>(); });
    const auto shared = std::make_shared<Eight>();
    const std::weak_ptr<Eight> weak = shared;
    count_make("std::weak_ptr lock and drop", [at = &weak] { return at->lock(); });
#ifdef HAS_BOOST
    struct Plain : boost::intrusive_ref_counter<Plain, boost::thread_unsafe_counter> {};
    struct Atomic : boost::intrusive_ref_counter<Atomic, boost::thread_safe_counter> {};
    count_copy("boost::intrusive_ptr copy and drop, not atomic", boost::intrusive_ptr<Plain>(new Plain));
    count_copy("boost::intrusive_ptr copy and drop, atomic", boost::intrusive_ptr<Atomic>(new Atomic));
#endif
    return 0;
}
