#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/own/gc/make.hpp>
#include <heapwright/own/gc/root.hpp>

#include <tests/support/death.hpp>

namespace gc = heapwright::gc;
namespace test = heapwright::test;

namespace {

int alive = 0;

struct Node {
    gc::Ptr<Node> next;
    std::uint64_t number = 0;
    void trace(gc::Tracer& tracer) const { tracer(next); }
};

struct Counted {
    explicit Counted(gc::Ptr<Counted> its_next = {}) : next(its_next) { ++alive; }
    ~Counted() { --alive; }
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;
    gc::Ptr<Counted> next;
    static constexpr auto gc_members = std::tuple{&Counted::next};
};

struct Base {
    virtual ~Base() = default;
    virtual void trace(gc::Tracer& tracer) const { tracer(first); }
    gc::Ptr<Node> first;
};
struct Derived : Base {
    void trace(gc::Tracer& tracer) const override {
        Base::trace(tracer);
        tracer(second);
    }
    gc::Ptr<Node> second;
};

gc::GcConfig precise() {
    gc::GcConfig config;
    config.stack = gc::StackScan::none;
    config.verify_always = true;
    return config;
}

}  // namespace

TEST_CASE("what a root refers to lives, and what nothing refers to goes") {
    gc::Heap heap{precise()};
    gc::Root<Counted> root{heap};
    root = gc::make<Counted>(heap);
    root->next = gc::make<Counted>(heap);
    CHECK(alive == 2);
    heap.collect();
    CHECK(alive == 2);
    root->next = nullptr;
    heap.collect();
    CHECK(alive == 1);
    root = nullptr;
    heap.collect();
    CHECK(alive == 0);
    CHECK(heap.broken_invariant() == nullptr);
}

TEST_CASE("cycles are no matter") {
    gc::Heap heap{precise()};
    {
        gc::Root<Counted> root{heap, gc::make<Counted>(heap)};
        root->next = gc::make<Counted>(heap, root.ptr());
        heap.collect();
        CHECK(alive == 2);
    }
    heap.collect();
    CHECK(alive == 0);
}

TEST_CASE("the end of a heap destroys what is left") {
    {
        gc::Heap heap{precise()};
        for (int count = 0; count < 100; ++count) {
            gc::make<Counted>(heap);
        }
        CHECK(alive == 100);
    }
    CHECK(alive == 0);
}

TEST_CASE("a derived class is traced by its own function through a pointer to its base") {
    gc::Heap heap{precise()};
    gc::Root<Base> root{heap};
    {
        gc::HandleScope scope{heap};
        auto derived = scope.hold(gc::make<Derived>(heap));
        derived->second = gc::make<Node>(heap);
        derived->second->number = 77;
        root = gc::Ptr<Base>(derived.ptr());
    }
    for (int round = 0; round < 3; ++round) {
        heap.collect();
        for (int count = 0; count < 2000; ++count) {
            gc::make<Node>(heap);
        }
    }
    CHECK(gc::static_pointer_cast<Derived>(root.ptr())->second->number == 77);
}

TEST_CASE("a list of ten million objects is traced and freed in a fixed stack") {
    gc::GcConfig config = precise();
    config.verify_always = false;
    gc::Heap heap{config};
    constexpr std::uint64_t kLength = HEAPWRIGHT_UNDER_ASAN != 0 || HEAPWRIGHT_UNDER_TSAN != 0 ? 300'000 : 10'000'000;
    gc::Root<Node> list{heap};
    for (std::uint64_t count = 0; count < kLength; ++count) {
        const auto node = gc::make<Node>(heap);
        node->number = count;
        node->next = list.ptr();
        list = node;
    }
    heap.collect();
    std::uint64_t length = 0;
    for (const Node* node = list.get(); node != nullptr; node = node->next.get()) {
        ++length;
    }
    CHECK(length == kLength);
    list = nullptr;
    heap.collect_and_shrink();
    CHECK(heap.stats().used_bytes < 1'000'000);
}

TEST_CASE("the heap grows, and shrinks again") {
    gc::GcConfig config = precise();
    gc::Heap heap{config};
    gc::Root<gc::Array<gc::Ptr<Node>>> all{heap, gc::make_array<gc::Ptr<Node>>(heap, 300'000)};
    for (std::size_t index = 0; index < all->size(); ++index) {
        (*all)[index] = gc::make<Node>(heap);
    }
    const std::size_t grown = heap.stats().committed_bytes;
    CHECK(grown > 300'000 * sizeof(Node));
    all = nullptr;
    heap.collect_and_shrink();
    CHECK(heap.stats().committed_bytes < grown / 50);
}

TEST_CASE("objects of every size keep their contents") {
    gc::GcConfig config = precise();
    config.nursery_bytes = 100'000;
    gc::Heap heap{config};
    std::vector<gc::Root<gc::Array<std::uint8_t>>> roots;
    for (const std::size_t size :
         {1U, 7U, 8U, 100U, 127U, 128U, 129U, 1000U, 8000U, 8200U, 20'000U, 32'768U, 40'000U, 600'000U, 3'000'000U, 9'000'000U}) {
        roots.emplace_back(heap, gc::make_array<std::uint8_t>(heap, size));
        for (std::size_t index = 0; index < size; ++index) {
            (*roots.back())[index] = static_cast<std::uint8_t>(index * 31 + size);
        }
        for (int count = 0; count < 500; ++count) {
            gc::make_array<std::uint64_t>(heap, 10);
        }
    }
    for (int round = 0; round < 2; ++round) {
        heap.collect();
        for (const auto& root : roots) {
            bool whole = true;
            for (std::size_t index = 0; index < root->size(); ++index) {
                whole = whole && (*root)[index] == static_cast<std::uint8_t>(index * 31 + root->size());
            }
            CHECK(whole);
        }
    }
    roots.clear();
    heap.collect_and_shrink();
    CHECK(heap.stats().used_bytes < 100'000);
    CHECK(heap.broken_invariant() == nullptr);
}

TEST_CASE("a limit is kept: everything is collected, the program is asked, and then the request fails") {
    struct Asked {
        gc::Root<Node>* list;
        int times = 0;
    };
    gc::GcConfig config = precise();
    config.limit_bytes = 3'000'000;
    Asked asked{.list = nullptr};
    config.context = &asked;
    config.on_exhaustion = [](gc::Heap&, std::size_t, void* context) noexcept {
        auto& self = *static_cast<Asked*>(context);
        ++self.times;
        if (self.times == 1) {
            *self.list = nullptr;
            return true;
        }
        return false;
    };
    gc::Heap heap{config};
    gc::Root<Node> list{heap};
    asked.list = &list;
    std::size_t made = 0;
    while (true) {
        auto node = gc::try_make<Node>(heap);
        if (!node) {
            CHECK(node.error().kind == heapwright::Errc::limit_reached);
            break;
        }
        (*node)->next = list.ptr();
        list = *node;
        ++made;
    }
    CHECK(asked.times == 2);
    CHECK(made > 2 * 3'000'000 / 32);
    CHECK(heap.stats().peak_bytes <= config.limit_bytes);
    CHECK(heap.stats().refusals == 1);
    list = nullptr;
    CHECK(gc::try_make<Node>(heap).has_value());
    CHECK_FALSE(gc::try_make_array<Node>(heap, SIZE_MAX / 4).has_value());
}

TEST_CASE("garbage alone never reaches a limit") {
    gc::GcConfig config = precise();
    config.limit_bytes = 3'000'000;
    config.nursery_bytes = 64'000'000;  // so that only exhaustion collects
    gc::Heap heap{config};
    for (int count = 0; count < 500'000; ++count) {
        REQUIRE(gc::try_make<Node>(heap).has_value());
    }
    CHECK(heap.stats().full_collections > 2);
    CHECK(heap.stats().refusals == 0);
}

TEST_CASE("the environment puts every heap under stress that is not already") {
    const char* const before = std::getenv("HEAPWRIGHT_GC_STRESS");
    const std::string kept = before == nullptr ? "" : before;
    setenv("HEAPWRIGHT_GC_STRESS", "5", 1);
    {
        gc::Heap heap{precise()};
        for (int count = 0; count < 100; ++count) {
            gc::make<Node>(heap);
        }
        CHECK(heap.stats().pauses == 20);
        CHECK(heap.config().stress == 5);
    }
    if (before == nullptr) {
        unsetenv("HEAPWRIGHT_GC_STRESS");
    } else {
        setenv("HEAPWRIGHT_GC_STRESS", kept.c_str(), 1);
    }
}

TEST_CASE("misuse stops the program") {
    CHECK(test::said(test::death_of([] {
                         gc::Heap first;
                         gc::Heap second;
                         gc::Root<Node> root{first, gc::make<Node>(first)};
                         root->next = gc::make<Node>(second);
                     }),
                     "an object of one collected heap refers to an object of another"));
    CHECK(test::said(test::death_of([] {
                         static gc::Heap* heap = new gc::Heap;
                         gc::Root<Node> root{*heap};
                         heap->~Heap();
                     }),
                     "a collected heap ends before a gc::Root of it"));
}
