// The heap where the kernel refuses: children that limit themselves before their first block, and must end well.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <heapwright/alloc/heap/default_heap.hpp>
#include <heapwright/alloc/heap/detail/regions.hpp>

#include <tests/support/death.hpp>

namespace heapwright::test {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

/// Allows this process so much more than it may need to start: RLIMIT_AS counts addresses, RLIMIT_DATA writable memory.
void limit_to(int resource, std::size_t bytes) {
    const rlimit limit{.rlim_cur = bytes, .rlim_max = bytes};
    if (::setrlimit(static_cast<__rlimit_resource_t>(resource), &limit) != 0) {
        ::_exit(9);
    }
}

/// Nothing of doctest here: it allocates, and this process may not be able to.
void must(bool holds, int status) {
    if (!holds) {
        ::_exit(status);
    }
}

/// Blocks that hold each other, so that nothing else is needed to remember them.
struct Chain {
    struct Link {
        Link* next;
        std::size_t bytes;
        unsigned char mark;
    };
    Link* first = nullptr;
    std::size_t bytes = 0;

    bool add(void* block, std::size_t size) {
        if (block == nullptr) {
            return false;
        }
        const auto mark = static_cast<unsigned char>(size * 7 + 1);
        std::memset(block, mark, size);
        auto* const link = static_cast<Link*>(block);
        *link = {.next = first, .bytes = size, .mark = mark};
        first = link;
        bytes += size;
        return true;
    }
    void release_all() {
        while (first != nullptr) {
            Link* const link = first;
            first = link->next;
            const auto* const contents = reinterpret_cast<const unsigned char*>(link);
            must(std::all_of(contents + sizeof(Link), contents + link->bytes, [&](unsigned char byte) { return byte == link->mark; }), 2);
            default_heap::release(link);
        }
        bytes = 0;
    }
};

using Allocate = void* (*)(std::size_t);
void* plain(std::size_t bytes) { return default_heap::allocate(bytes); }
void* zeroed(std::size_t bytes) { return default_heap::allocate_zeroed(bytes); }
void* aligned(std::size_t bytes) { return default_heap::allocate_aligned(bytes, 4096); }
/// Grown from little; where that is refused the little is freed.
void* grown(std::size_t bytes) {
    auto* const start = static_cast<unsigned char*>(default_heap::allocate(24));
    if (start == nullptr) {
        return nullptr;
    }
    std::memset(start, 0x3C, 24);
    void* const moved = default_heap::reallocate(start, bytes);
    const auto* const contents = static_cast<const unsigned char*>(moved == nullptr ? start : moved);
    must(std::all_of(contents, contents + 24, [](unsigned char byte) { return byte == 0x3C; }), 3);
    if (moved == nullptr) {
        default_heap::release(start);
    }
    return moved;
}

/// To the end and back, three times: the last gets about what the first got.
void exhaust(Allocate allocate, std::size_t least, std::size_t most) {
    std::size_t first = 0;
    for (int round = 0; round < 3; ++round) {
        Chain chain;
        std::size_t size = least;
        while (chain.add(allocate(size), size)) {
            size = size * 2 > most ? least : size * 2;
        }
        first = round == 0 ? chain.bytes : first;
        must(chain.bytes >= 4 * kMiB, 4);
        must(chain.bytes >= first - first / 4, 5);
        chain.release_all();
        if (round == 1) {
            static_cast<void>(default_heap::trim());
        }
    }
    void* const block = allocate(least);
    must(block != nullptr, 6);
    default_heap::release(block);
}

struct Case {
    int resource;
    std::size_t bytes;
};
constexpr Case kCases[] = {{RLIMIT_AS, 128 * kMiB}, {RLIMIT_AS, 200 * kMiB}, {RLIMIT_DATA, 40 * kMiB}, {RLIMIT_DATA, 100 * kMiB}};

template <class Act>
void survives_each_limit(Act act) {
    for (const Case& limit : kCases) {
        const Death death = death_of([&] {
            limit_to(limit.resource, limit.bytes);
            act();
        });
        CAPTURE(limit.resource);
        CAPTURE(limit.bytes);
        CHECK(death.signal == 0);
        CHECK(death.exit_status == 0);
        CHECK(death.last_words == "");
    }
}

void* work_in_thread(void* /*unused*/) {
    exhaust(plain, 32, 4096);
    return nullptr;
}

}  // namespace

TEST_CASE("small blocks to the end of memory and back") {
    survives_each_limit([] { exhaust(plain, 32, 32); });
    survives_each_limit([] { exhaust(plain, 32, 8192); });
}

TEST_CASE("large blocks to the end of memory and back") {
    survives_each_limit([] { exhaust(plain, 70'000, 70'000); });
    survives_each_limit([] { exhaust(plain, 100'000, 3'000'000); });
}

TEST_CASE("zeroed and aligned blocks to the end of memory and back") {
    survives_each_limit([] { exhaust(zeroed, 40, 300'000); });
    survives_each_limit([] { exhaust(aligned, 100, 200'000); });
}

TEST_CASE("a block that cannot grow keeps its contents") {
    survives_each_limit([] { exhaust(grown, 48, 1'000'000); });
}

TEST_CASE("what no limit allows is refused, and nothing else") {
    survives_each_limit([] {
        for (const std::size_t bytes : {std::size_t{1} << 31, std::size_t{1} << 40, std::size_t{1} << 50, SIZE_MAX / 2, SIZE_MAX}) {
            must(default_heap::allocate(bytes) == nullptr, 7);
            must(default_heap::allocate_zeroed(bytes) == nullptr, 7);
            must(default_heap::allocate_aligned(bytes, 4096) == nullptr, 7);
            must(default_heap::allocate_aligned(64, bytes == SIZE_MAX ? std::size_t{1} << 62 : std::size_t{1} << 45) == nullptr, 7);
            void* const block = default_heap::allocate(1000);
            must(block != nullptr, 8);
            std::memset(block, 1, 1000);
            must(default_heap::reallocate(block, bytes) == nullptr, 7);
            default_heap::release(block);
        }
    });
}

TEST_CASE("where memory is refused no further addresses are set aside") {
    for (const std::size_t size : {std::size_t{64}, std::size_t{5000}, std::size_t{300'000}}) {
        const Death death = death_of([&] {
            limit_to(RLIMIT_DATA, 40 * kMiB);
            Chain chain;
            while (chain.add(default_heap::allocate(size), size)) {}
            const std::uint64_t reserved = default_heap::statistics().reserved_bytes;
            for (int i = 0; i < 50; ++i) {
                must(default_heap::allocate(size) == nullptr, 7);
            }
            must(default_heap::statistics().reserved_bytes == reserved, 8);
            chain.release_all();
        });
        CAPTURE(size);
        CHECK(death.signal == 0);
        CHECK(death.exit_status == 0);
    }
}

TEST_CASE("without room for a first region every request is refused") {
    const Death death = death_of([] {
        limit_to(RLIMIT_AS, 1 * kMiB);  // less than the process has already
        for (const std::size_t bytes : {std::size_t{1}, std::size_t{100}, std::size_t{5000}, std::size_t{1} << 20}) {
            must(default_heap::allocate(bytes) == nullptr, 7);
            must(default_heap::allocate_zeroed(bytes) == nullptr, 7);
            must(default_heap::allocate_aligned(bytes, 64) == nullptr, 7);
        }
        must(default_heap::trim() == 0, 7);
        must(default_heap::statistics().allocated_bytes == 0, 7);
        limit_to(RLIMIT_AS, 1 * kMiB);
    });
    CHECK(death.signal == 0);
    CHECK(death.exit_status == 0);
}

TEST_CASE("memory that runs out in several threads runs out in none for good") {
    for (const Case& limit : {Case{RLIMIT_AS, 256 * kMiB}, Case{RLIMIT_DATA, 128 * kMiB}}) {
        const Death death = death_of([&] {
            limit_to(limit.resource, limit.bytes);
            pthread_attr_t small{};
            pthread_attr_init(&small);
            pthread_attr_setstacksize(&small, 256 << 10);
            pthread_t threads[3];
            for (pthread_t& thread : threads) {
                must(pthread_create(
                         &thread, &small,
                         [](void*) -> void* {
                             for (int round = 0; round < 3; ++round) {
                                 Chain chain;
                                 for (std::size_t size = 32; chain.add(default_heap::allocate(size), size);) {
                                     size = size > 100'000 ? 32 : size * 3;
                                 }
                                 chain.release_all();
                             }
                             return nullptr;
                         },
                         nullptr) == 0,
                     10);
            }
            for (const pthread_t thread : threads) {
                pthread_join(thread, nullptr);
            }
            pthread_t last{};
            must(pthread_create(&last, &small, work_in_thread, nullptr) == 0, 10);
            pthread_join(last, nullptr);
        });
        CAPTURE(limit.resource);
        CHECK(death.signal == 0);
        CHECK(death.exit_status == 0);
        CHECK(death.last_words == "");
    }
}

/// Sixty-four blocks of a megabyte, every second one free, so that nothing larger fits between them.
void leave_holes(std::size_t ceiling_bytes) {
    void* blocks[64];
    default_heap::set_clock(1, false, false);  // so that nothing goes back by time
    for (void*& block : blocks) {
        block = default_heap::allocate(kMiB);
        std::memset(block, 1, kMiB);
    }
    for (std::size_t i = 0; i < std::size(blocks); i += 2) {
        default_heap::release(blocks[i]);
    }
    must(default_heap::statistics().dirty_bytes >= 31 * kMiB, 2);
    heap::set_ceiling(ceiling_bytes);
    void* const larger = default_heap::allocate(8 * kMiB);
    must(larger != nullptr, 3);
    std::memset(larger, 1, 8 * kMiB);
}

TEST_CASE("under a ceiling, free memory goes back before more is taken; without one it waits for the clock") {
    const Death below = death_of([] {
        leave_holes(80 * kMiB);
        must(default_heap::statistics().dirty_bytes >= 31 * kMiB, 4);
    });
    CHECK_MESSAGE(below.exit_status == 0, "failed at ", below.exit_status);
    const Death above = death_of([] {
        leave_holes(70 * kMiB);
        must(default_heap::statistics().dirty_bytes < kMiB, 5);
    });
    CHECK_MESSAGE(above.exit_status == 0, "failed at ", above.exit_status);
}

}  // namespace heapwright::test
