// Chains, trees and lists of any length die in a loop: in 64 KiB of stack.
#include <cstddef>
#include <cstdlib>
#include <vector>

#include <pthread.h>

#include <doctest/doctest.h>

#include <heapwright/own/rc/biased_counts.hpp>
#include <heapwright/own/rc/cell.hpp>
#include <heapwright/own/rc/cycle_collector.hpp>
#include <heapwright/own/rc/rc.hpp>

namespace heapwright {
namespace {

/// Runs `act` on a thread with 64 KiB of stack; a recursion over its nodes would need 100 bytes each.
template <class Act>
void in_small_stack(Act act) {
    pthread_attr_t attributes;
    REQUIRE(pthread_attr_init(&attributes) == 0);
    // Sanitizers need more for their own frames, which is still too little for a thousandth of the nodes.
    REQUIRE(pthread_attr_setstacksize(&attributes, HEAPWRIGHT_UNDER_ASAN || HEAPWRIGHT_UNDER_TSAN ? 256 << 10 : 64 << 10) == 0);
    pthread_t thread{};
    constexpr auto kBody = [](void* argument) -> void* {
        (*static_cast<Act*>(argument))();
        return nullptr;
    };
    REQUIRE(pthread_create(&thread, &attributes, +kBody, &act) == 0);
    REQUIRE(pthread_join(thread, nullptr) == 0);
    pthread_attr_destroy(&attributes);
}

std::size_t nodes() {
    const char* const wanted = std::getenv("HEAPWRIGHT_CHAIN");
    const std::size_t usual = HEAPWRIGHT_UNDER_ASAN || HEAPWRIGHT_UNDER_TSAN ? 200'000 : 1'000'000;
    return wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : usual;
}

template <class Policy>
struct Link {
    static inline std::size_t alive = 0;
    Link() { ++alive; }
    Link(const Link&) = delete;
    Link& operator=(const Link&) = delete;
    ~Link() { --alive; }
    Counted<Link, Policy> next;
    WeakCounted<Link, Policy> previous;
};

template <class Policy>
struct Tree {
    static inline std::size_t alive = 0;
    Tree() { ++alive; }
    Tree(const Tree&) = delete;
    Tree& operator=(const Tree&) = delete;
    ~Tree() { --alive; }
    Counted<Tree, Policy> left;
    Counted<Tree, Policy> right;
    std::vector<Counted<Tree, Policy>> children;
};

#define HEAPWRIGHT_LAW(sentence) TEST_CASE_TEMPLATE(sentence, Policy, SingleThread, ManyThreads, Biased)

HEAPWRIGHT_LAW("a chain is freed in 64 KiB of stack") {
    in_small_stack([] {
        Counted<Link<Policy>, Policy> head;
        for (std::size_t count = nodes(); count > 0; --count) {
            auto link = make_counted<Link<Policy>, Policy>();
            link->next = std::move(head);
            head = std::move(link);
        }
        head.reset();
    });
    CHECK(Link<Policy>::alive == 0);
}

HEAPWRIGHT_LAW("a list with weak handles back is freed in 64 KiB of stack") {
    in_small_stack([] {
        Counted<Link<Policy>, Policy> head;
        for (std::size_t count = nodes(); count > 0; --count) {
            auto link = make_counted<Link<Policy>, Policy>();
            link->next = std::move(head);
            if (link->next) {
                link->next->previous = link;
            }
            head = std::move(link);
        }
        head.reset();
    });
    CHECK(Link<Policy>::alive == 0);
}

HEAPWRIGHT_LAW("a degenerate tree, and nodes with many children, are freed in 64 KiB of stack") {
    in_small_stack([] {
        Counted<Tree<Policy>, Policy> root;
        for (std::size_t count = nodes() / 2; count > 0; --count) {
            auto tree = make_counted<Tree<Policy>, Policy>();
            (count % 2 == 0 ? tree->left : tree->right) = std::move(root);
            tree->children.push_back(make_counted<Tree<Policy>, Policy>());
            root = std::move(tree);
        }
        auto wide = make_counted<Tree<Policy>, Policy>();
        for (std::size_t count = 0; count < nodes() / 4; ++count) {
            wide->children.push_back(make_counted<Tree<Policy>, Policy>());
            wide->children.back()->left = make_counted<Tree<Policy>, Policy>();
        }
        root->children.push_back(std::move(wide));
        root.reset();
    });
    CHECK(Tree<Policy>::alive == 0);
}

struct A;
struct B {
    Rc<A> next;
};
struct A {
    Rc<B> next;
};

TEST_CASE("a chain of several types, through arrays and cells, is freed in 64 KiB of stack") {
    in_small_stack([] {
        Rc<A> head;
        for (std::size_t count = nodes() / 2; count > 0; --count) {
            Rc<B> middle = make_rc<B>(B{std::move(head)});
            head = make_rc<A>(A{std::move(middle)});
        }
        struct Box {
            Rc<RefCell<Rc<Box>>[]> next;
        };
        Rc<Box> box;
        for (std::size_t count = nodes() / 10; count > 0; --count) {
            Rc<RefCell<Rc<Box>>[]> array = make_rc<RefCell<Rc<Box>>[]>(std::size_t{1});
            *array[0].borrow_mut() = std::move(box);
            box = make_rc<Box>(Box{std::move(array)});
        }
    });
}

struct Node {
    Rc<Node> next;
    Rc<Node> previous;
    using traced_members = Members<&Node::next, &Node::previous>;
};

TEST_CASE("a doubly linked list and a ring are collected in 64 KiB of stack") {
    in_small_stack([] {
        CycleCollector collector;
        Rc<Node> first = collector.make<Node>();
        Rc<Node> last = first;
        for (std::size_t count = nodes(); count > 1; --count) {
            Rc<Node> node = collector.make<Node>();
            node->previous = last;
            last->next = node;
            last = std::move(node);
        }
        last->next = first;
        first.reset();
        last.reset();
        CHECK(collector.collect_all().freed == nodes());
        // Without a cycle no collection is needed, and no recursion either.
        Rc<Node> chain;
        for (std::size_t count = nodes(); count > 0; --count) {
            Rc<Node> node = collector.make<Node>();
            node->next = std::move(chain);
            chain = std::move(node);
        }
        chain.reset();
        CHECK(collector.live_nodes() == 0);
    });
}

TEST_CASE("what a destructor drops last is destroyed after that destructor, and before the drop that began it returns") {
    struct Noisy {
        std::vector<int>* log;
        int number;
        Rc<Noisy> child;
        ~Noisy() {
            child.reset();
            log->push_back(number);
        }
    };
    std::vector<int> log;
    Rc<Noisy> parent = make_rc<Noisy>(Noisy{&log, 1, nullptr});
    log.clear();
    parent->child = make_rc<Noisy>(Noisy{&log, 2, nullptr});
    log.clear();
    parent.reset();
    CHECK(log == std::vector<int>{1, 2});
}

}  // namespace
}  // namespace heapwright
