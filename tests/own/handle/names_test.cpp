// The name table: pages with few names become records, and every handle still finds its object.
#include <heapwright/own/handle/detail/names.hpp>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <heapwright/own/handle/handle.hpp>
#include <heapwright/own/handle/heap.hpp>

#include <tests/own/handle/survivors.hpp>

namespace heapwright::movable::test {

namespace {

using heapwright::test::survivors;

struct Item {
    std::uint64_t number;
    std::uint64_t more[3] = {};
};

std::size_t wrong_ones(MovableHeap& heap, const std::vector<Handle<Item>>& items) {
    const Borrow borrow(heap);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < items.size(); ++i) {
        wrong += items[i] && borrow[items[i]].number != i ? 1U : 0U;
    }
    return wrong;
}

/// A table of two groups of pages, without a heap.
struct Table {
    static constexpr std::size_t kNames = std::size_t{256} * Names::kPerPage;
    Table()
        : addresses(static_cast<std::byte*>(os::reserve(Names::address_bytes(kNames), os::kPageBytes, nullptr))),
          names(addresses, kNames) {}
    Table(const Table&) = delete;
    Table& operator=(const Table&) = delete;
    ~Table() { os::release(addresses, Names::address_bytes(kNames)); }

    std::uint32_t take(Entry value) {
        const std::uint32_t name = names.take();
        *names.entry_of(name) = value;
        return name;
    }
    /// So many pages of names, of which one in `one_in` stays.
    void fill(std::uint32_t pages, std::uint32_t one_in) {
        for (std::uint32_t name = 1; name < pages * Names::kPerPage; ++name) {
            REQUIRE(take(name * 16 + 1) == name);
        }
        for (std::uint32_t name = 1; name < pages * Names::kPerPage; ++name) {
            if (name % one_in != 0) {
                REQUIRE(names.give(name) == Names::kNoPage);
            }
        }
    }

    std::byte* addresses;
    Names names;
    alignas(8) std::byte first[PackedNames::bytes_for(Names::kPackedMost)] = {};
    alignas(8) std::byte second[PackedNames::bytes_for(Names::kPackedMost)] = {};
};

}  // namespace

TEST_CASE("a page of few names is packed, keeps them, and gives no others until its last has gone") {
    Table table;
    table.fill(80, 8);
    REQUIRE(table.names.is_sparse());
    std::size_t room = 0;
    REQUIRE(table.names.find_sparse(0, room) == 0);
    CHECK(room == 128);
    REQUIRE(table.names.find_sparse(3, room) == 3);
    std::byte* former = nullptr;
    REQUIRE(table.names.pack(3, table.first, room, former));
    CHECK(former == nullptr);
    CHECK(table.names.broken_invariant() == nullptr);
    CHECK(table.names.counts().records == 1);
    CHECK(table.names.counts().record_bytes == PackedNames::slot_bytes_for(128));
    CHECK(table.names.counts().page_bytes == 79 * os::kPageBytes);
    for (std::uint32_t name = 3 * 1024; name < 4 * 1024; name += 8) {
        CHECK(*table.names.entry_of(name) == kElsewhere);
        CHECK(table.names.place_of(name) == name * 16 + 1);
    }
    table.names.place_of(3 * 1024 + 8) = 33;  // it moved
    CHECK(table.names.place_of(3 * 1024 + 8) == 33);
    // Free names are taken from below, but from no packed page.
    std::uint32_t name = table.take(7);
    for (; name < 3 * 1024; name = table.take(7)) {}
    CHECK(name == 4 * 1024 + 1);
    CHECK(table.names.broken_invariant() == nullptr);
    for (name = 3 * 1024; name < 4 * 1024 - 8; name += 8) {
        REQUIRE(table.names.give(name) == Names::kNoPage);
    }
    REQUIRE(table.names.give(name) == 3);
    *table.names.record_of(3) = nullptr;
    table.names.record_ended(3, 128);
    CHECK(table.names.counts().records == 0);
    CHECK(table.names.counts().record_bytes == 0);
    CHECK(table.names.broken_invariant() == nullptr);
    CHECK(table.take(7) == 3 * 1024);
}

TEST_CASE("a record that most names have left is made again, smaller") {
    Table table;
    table.fill(40, 4);
    std::byte* former = nullptr;
    REQUIRE(table.names.pack(5, table.first, 256, former));
    std::size_t room = 0;
    CHECK(table.names.find_sparse(5, room) == 6);
    for (std::uint32_t name = 5 * 1024; name < 5 * 1024 + 600; name += 4) {
        REQUIRE(table.names.give(name) == Names::kNoPage);
    }
    REQUIRE(table.names.find_sparse(5, room) == 5);
    CHECK(room == 112);
    REQUIRE(table.names.pack(5, table.second, room, former));
    CHECK(former == table.first);
    CHECK(table.names.counts().records == 1);
    CHECK(table.names.counts().record_bytes == PackedNames::slot_bytes_for(112));
    for (std::uint32_t name = 5 * 1024 + 600; name < 6 * 1024; name += 4) {
        CHECK(table.names.place_of(name) == name * 16 + 1);
    }
    CHECK(table.names.broken_invariant() == nullptr);
}

TEST_CASE("a page is not packed while a name on it has no object yet, nor where more names came than there is room for") {
    Table table;
    table.fill(40, 8);
    std::byte* former = nullptr;
    CHECK_FALSE(table.names.pack(3, table.first, 112, former));
    const std::uint32_t name = table.names.take();
    CHECK_FALSE(table.names.pack(name / Names::kPerPage, table.first, 384, former));
    *table.names.entry_of(name) = 17;
    CHECK(table.names.pack(name / Names::kPerPage, table.first, 384, former));
    CHECK(table.names.place_of(name) == 17);
    CHECK(table.names.broken_invariant() == nullptr);
}

TEST_CASE("a table that is full enough, short, or half used up already, is not packed") {
    Table dense;
    dense.fill(100, 2);
    CHECK_FALSE(dense.names.is_sparse());
    Table few;
    few.fill(40, 16);
    CHECK_FALSE(few.names.is_sparse());
    Table used;
    used.fill(130, 16);
    CHECK_FALSE(used.names.is_sparse());
}

TEST_CASE("handles that are left of many need few bytes of names after a compaction, and objects still move") {
    MovableHeap heap;
    auto items = survivors<Item>(heap, 200'000, 16);
    const std::size_t before = heap.stats().name_bytes;
    REQUIRE(heap.compact());
    const MovableHeapStats after = heap.stats();
    CHECK(after.name_bytes * 8 < before);
    CHECK(after.name_bytes < after.names * 10);
    CHECK(after.live_objects == after.names);  // records are not among them
    CHECK(after.live_bytes == after.names * sizeof(Item));
    CHECK(after.resident_bytes * 100 <= after.names * (sizeof(Item) + kHeaderBytes) * 105);
    CHECK(wrong_ones(heap, items) == 0);
    CHECK(items[1600].pin()->number == 1600);
    CHECK(heap.broken_invariant() == nullptr);
    REQUIRE(heap.move_everything());
    CHECK(wrong_ones(heap, items) == 0);
    CHECK(heap.broken_invariant() == nullptr);
    for (std::size_t i = 0; i < items.size(); i += 16) {
        if (i % 160 != 0) {
            items[i].reset();
        }
    }
    CHECK(heap.broken_invariant() == nullptr);
    REQUIRE(heap.compact());
    CHECK(heap.broken_invariant() == nullptr);
    CHECK(wrong_ones(heap, items) == 0);
    auto others = survivors<Item>(heap, 1000, 1);
    CHECK(wrong_ones(heap, others) == 0);
    CHECK(wrong_ones(heap, items) == 0);
    items.clear();
    others.clear();
    CHECK(heap.stats().live_objects == 0);
    CHECK(heap.broken_invariant() == nullptr);
    REQUIRE(heap.compact());
    CHECK(heap.stats().resident_bytes == 0);
    CHECK(heap.stats().name_bytes == 0);
}

TEST_CASE("a tick ends a compaction that has begun, however little is vacant, and so packs names") {
    MovableHeapOptions options;
    options.cpu_millionths = 1'000'000;
    options.threshold_millionths = 1'000'000;  // never exceeded
    MovableHeap heap(options);
    const auto items = survivors<Item>(heap, 150'000, 16);
    const std::size_t before = heap.stats().name_bytes;
    heap.tick();
    usleep(8000);
    heap.tick();
    CHECK(heap.stats().steps == 0);
    REQUIRE(heap.compact(0));
    for (int i = 0; i < 10'000 && heap.stats().compactions == 0; ++i) {
        heap.tick();
        usleep(1000);
    }
    CHECK(heap.stats().compactions == 1);
    CHECK(heap.stats().name_bytes * 8 < before);
    CHECK(wrong_ones(heap, items) == 0);
}

TEST_CASE("threads make, follow, rename and end handles while pages of names are packed") {
    MovableHeap heap;
    std::atomic<int> running{3};
    std::atomic<std::size_t> wrong{0};
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 3; ++thread) {
        threads.emplace_back([&] {
            for (int round = 0; round < 3; ++round) {
                auto items = survivors<Item>(heap, 40'000, 16);
                for (int look = 0; look < 10; ++look) {
                    wrong.fetch_add(wrong_ones(heap, items));
                    heap.rename(items[static_cast<std::size_t>(look) * 16]);
                    std::this_thread::yield();
                }
            }
            running.fetch_sub(1);
        });
    }
    std::size_t most_records = 0;
    while (running.load() != 0) {
        static_cast<void>(heap.compact(500'000));
        most_records = std::max(most_records, store_of(heap).names.counts().records);
        std::this_thread::yield();
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(wrong.load() == 0);
    MESSAGE("packed pages at one time: " << most_records);
    CHECK(heap.stats().live_objects == 0);
    CHECK(heap.broken_invariant() == nullptr);
}

TEST_CASE("records that most names have left become smaller when the heap compacts again") {
    MovableHeap heap;
    auto items = survivors<Item>(heap, 400'000, 3);
    REQUIRE(heap.compact());
    const std::size_t before = heap.stats().name_bytes;
    for (std::size_t i = 0; i < items.size(); ++i) {
        if (i % 300 != 0) {
            items[i].reset();
        }
    }
    REQUIRE(heap.compact());
    CHECK(heap.stats().name_bytes * 3 < before);
    CHECK(wrong_ones(heap, items) == 0);
    CHECK(heap.broken_invariant() == nullptr);
}

TEST_CASE("near its limit a heap makes no records, which count against it") {
    MovableHeapOptions options;
    options.limit_bytes = std::size_t{8} << 20;
    MovableHeap heap(options);
    auto items = survivors<Item>(heap, 150'000, 3);
    std::vector<Handle<Item>> others;
    while (heap.stats().resident_bytes < options.limit_bytes / 16 * 15) {
        auto made = make_handle<Item>(heap, 1U);
        REQUIRE(made);
        others.push_back(std::move(*made));
    }
    REQUIRE(heap.compact());
    CHECK(store_of(heap).names.counts().records == 0);
    others.clear();
    REQUIRE(heap.compact());
    CHECK(store_of(heap).names.counts().records != 0);
    CHECK(wrong_ones(heap, items) == 0);
}

#if !HEAPWRIGHT_UNDER_TSAN  // which forks no process of several threads
TEST_CASE("a child of fork has whole objects while another thread packs names") {
    for (int round = 0; round < 8; ++round) {
        MovableHeap heap;
        auto items = survivors<Item>(heap, 400'000, 16);
        std::atomic<bool> done{false};
        std::thread packer([&] {
            static_cast<void>(heap.compact());
            done.store(true);
        });
        while (!done.load() && store_of(heap).names.counts().records == 0) {}
        const pid_t child = fork();
        if (child == 0) {
            heap.after_fork_in_child();
            // Not the invariants: a place that the other thread was just taking stays taken, and is nobody's.
            const std::size_t at_once = wrong_ones(heap, items);
            const bool moved = heap.move_everything();
            _exit(moved && at_once + wrong_ones(heap, items) == 0 ? 0 : 1);
        }
        int status = 1;
        REQUIRE(waitpid(child, &status, 0) == child);
        CHECK(status == 0);
        packer.join();
    }
}
#endif

}  // namespace heapwright::movable::test
