// Spans that share memory: every byte stays, whoever writes meanwhile, and everything comes back.
#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <heapwright/alloc/heap/default_heap.hpp>
#include <heapwright/alloc/heap/detail/mesher.hpp>
#include <heapwright/alloc/heap/detail/regions.hpp>
#include <heapwright/alloc/heap/detail/visitor.hpp>
#include <heapwright/os/pages.hpp>

#include <tests/alloc/heap/fork_child.hpp>
#include <tests/support/random.hpp>

namespace heapwright::test {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

/// Turned on once, by the first test that asks. Where the kernel refuses, there is nothing to test but the refusal.
bool is_possible() {
    static const bool is_on = default_heap::begin_meshing();
    if (!is_on) {
        MESSAGE("this process may not mesh");
    }
    return is_on;
}

std::uint64_t word_of(std::size_t number, std::size_t index) { return (number * 1'000'003 + index) * 0x9E3779B97F4A7C15U; }

struct Held {
    std::uint64_t* block = nullptr;
    std::size_t words = 0;
    std::size_t number = 0;
};

Held make(std::size_t number, std::size_t bytes) {
    Held made{.block = static_cast<std::uint64_t*>(default_heap::allocate(bytes)), .words = bytes / 8, .number = number};
    for (std::size_t i = 0; i < made.words; ++i) {
        made.block[i] = word_of(number, i);
    }
    return made;
}

bool is_intact(const Held& held) {
    for (std::size_t i = 0; i < held.words; ++i) {
        if (held.block[i] != word_of(held.number, i)) {
            return false;
        }
    }
    return true;
}

bool are_intact(const std::vector<Held>& all) { return std::all_of(all.begin(), all.end(), is_intact); }

/// Keeps one block of so many: regular, or by chance.
std::vector<Held> survivors(std::size_t count, std::size_t bytes, std::size_t share, bool is_regular) {
    std::vector<Held> made;
    made.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        made.push_back(make(i, bytes));
    }
    Random random(42);
    std::vector<Held> left;
    left.reserve(count / share * 2);
    for (std::size_t i = 0; i < count; ++i) {
        if (is_regular ? i % share == 0 : random.below(share) == 0) {
            left.push_back(made[i]);
        } else {
            default_heap::release(made[i].block);
        }
    }
    return left;
}

void release_all(std::vector<Held>& all) {
    for (const Held& held : all) {
        default_heap::release(held.block);
    }
    all.clear();
}

/// Anonymous memory and files' of this process; shared pages count in parts, so that the sum is what there is.
std::size_t memory_bytes() {
    std::FILE* const file = std::fopen("/proc/self/smaps_rollup", "r");
    REQUIRE(file != nullptr);
    char line[256];
    unsigned long sum = 0;
    while (std::fgets(line, sizeof(line), file) != nullptr) {
        unsigned long kib = 0;
        if (std::sscanf(line, "Pss_Anon: %lu", &kib) == 1 || std::sscanf(line, "Pss_Shmem: %lu", &kib) == 1) {
            sum += kib;
        }
    }
    std::fclose(file);
    return sum * 1024;
}

void check_heap() {
    const char* const broken = heap::g_default_core.broken_invariant();
    CHECK_MESSAGE(broken == nullptr, broken);
}

TEST_CASE("spans of regular survivors share memory, and stay what they are") {
    if (!is_possible()) {
        return;
    }
    constexpr std::size_t kCount = 64 * kMiB / 256;
    std::vector<Held> left = survivors(kCount, 256, 16, true);
    default_heap::trim();
    CHECK(heap::meshed_spans() > 900);
    CHECK(heap::mesh_saved_bytes() > 48 * kMiB);
    check_heap();
    CHECK(are_intact(left));
    SUBCASE("freed by their owner") { release_all(left); }
    SUBCASE("written to and freed by another thread") {
        for (const Held& held : left) {
            held.block[1] = ~held.block[1];
        }
        for (const Held& held : left) {
            held.block[1] = ~held.block[1];
        }
        CHECK(are_intact(left));
        std::thread([&] { release_all(left); }).join();
    }
    SUBCASE("allocated among") {
        for (std::size_t i = 0; i < kCount / 2; ++i) {
            left.push_back(make(kCount + i, 256));
        }
        check_heap();
        CHECK(are_intact(left));
        release_all(left);
    }
    default_heap::trim();
    check_heap();
    CHECK(heap::meshed_spans() == 0);
    CHECK(heap::mesh_saved_bytes() == 0);
}

TEST_CASE("spans that are disjoint in no way as wholes share pages") {
    if (!is_possible()) {
        return;
    }
    std::vector<Held> left = survivors(16 * kMiB / 512, 512, 5, false);
    CHECK(default_heap::trim() != 0);
    CHECK(heap::mesh_saved_bytes() > 3 * kMiB);
    CHECK(are_intact(left));
    check_heap();
    for (std::size_t i = 0; i < left.size(); i += 2) {
        default_heap::release(left[i].block);
        left[i] = make(left[i].number, 512);
    }
    CHECK(are_intact(left));
    release_all(left);
    default_heap::trim();
    CHECK(heap::meshed_spans() == 0);
    CHECK(heap::mesh_mappings() == 0);
}

/// Meshes again and again until it is told to stop.
class Mesher {
public:
    Mesher() : thread_([this] { run(); }) {}
    ~Mesher() { stop(); }
    Mesher(const Mesher&) = delete;
    Mesher& operator=(const Mesher&) = delete;
    void stop() {
        is_over_.store(true);
        if (thread_.joinable()) {
            thread_.join();
        }
    }
    [[nodiscard]] std::size_t passes() const { return passes_.load(); }

private:
    void run() {
        while (!is_over_.load()) {
            heap::mesh_all();
            passes_.fetch_add(1);
        }
    }
    std::atomic<bool> is_over_{false};
    std::atomic<std::size_t> passes_{0};
    std::thread thread_;
};

#if HEAPWRIGHT_UNDER_TSAN || HEAPWRIGHT_UNDER_ASAN
constexpr std::size_t kShorter = 8;
#else
constexpr std::size_t kShorter = 1;
#endif

TEST_CASE("system calls write into blocks that are being meshed, and none fails") {
    if (!is_possible()) {
        return;
    }
    std::vector<Held> left;
    Mesher mesher;
    const int file = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    REQUIRE(file >= 0);
    std::uint64_t beginning = 0;
    REQUIRE(::pread(file, &beginning, sizeof(beginning), 0) == sizeof(beginning));
    std::size_t failures = 0;
    std::size_t wrong = 0;
    Random random;
    for (std::size_t turn = 0; turn < 8; ++turn) {
        std::vector<Held> more = survivors(4 * kMiB / 256 / kShorter, 256, 12, turn % 2 == 0);
        left.insert(left.end(), more.begin(), more.end());
        for (std::size_t call = 0; call < 20'000 / kShorter; ++call) {
            const Held& held = left[random.below(left.size())];
            failures += ::pread(file, held.block, sizeof(beginning), 0) == sizeof(beginning) ? 0U : 1U;
            wrong += held.block[0] == beginning ? 0U : 1U;
            held.block[0] = word_of(held.number, 0);
        }
        for (std::size_t i = 0; i < left.size(); i += 3) {
            default_heap::release(left[i].block);
            left[i] = make(left[i].number, 256);
        }
    }
    CHECK(failures == 0);
    CHECK(wrong == 0);
    mesher.stop();
    CHECK(mesher.passes() > 0);
    CHECK(are_intact(left));
    check_heap();
    ::close(file);
    release_all(left);
    default_heap::trim();
    CHECK(heap::meshed_spans() == 0);
}

// A child of a thread under a sanitizer's runtime cannot do much.
#if !HEAPWRIGHT_UNDER_TSAN
TEST_CASE("children have every byte, also where no handler of fork runs") {
    if (!is_possible()) {
        return;
    }
    std::size_t bad = 0;
    for (std::size_t turn = 0; turn < 3; ++turn) {
        std::vector<Held> left = survivors(8 * kMiB / 256 / kShorter, 256, 16, true);
        Mesher mesher;
        for (std::size_t child = 0; child < 20; ++child) {
            const bool is_raw = child % 2 == 0;
            const pid_t made =
                is_raw ? static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr)) : fork_with_heap();
            REQUIRE(made >= 0);
            if (made == 0) {
                bool is_good = are_intact(left);
                if (!is_raw) {
                    release_all(left);
                    default_heap::trim();
                    is_good = is_good && heap::g_default_core.broken_invariant() == nullptr;
                }
                ::_exit(is_good ? 0 : 1);
            }
            int status = 0;
            REQUIRE(::waitpid(made, &status, 0) == made);
            bad += status == 0 ? 0U : 1U;
        }
        mesher.stop();
        CHECK(are_intact(left));
        release_all(left);
        default_heap::trim();
    }
    CHECK(bad == 0);
    CHECK(heap::meshed_spans() == 0);
}
#endif

TEST_CASE("threads allocate, free and send blocks to each other while their spans are meshed") {
    if (!is_possible()) {
        return;
    }
    Mesher mesher;
    std::atomic<std::size_t> wrong{0};
    constexpr std::size_t kThreads = 3;
    std::array<std::atomic<std::uint64_t*>, 64> exchange{};
    std::vector<std::thread> threads;
    for (std::size_t thread = 0; thread < kThreads; ++thread) {
        threads.emplace_back([&, thread] {
            Random random(thread);
            std::vector<Held> mine;
            for (std::size_t step = 0; step < 200'000 / kShorter; ++step) {
                if (step / 20'000 % 2 == 0 || mine.empty()) {
                    mine.push_back(make(random.below(1U << 20), 16 * random.between(1, 32)));
                } else {
                    const std::size_t chosen = random.below(mine.size());
                    wrong += is_intact(mine[chosen]) ? 0U : 1U;
                    default_heap::release(mine[chosen].block);
                    mine[chosen] = mine.back();
                    mine.pop_back();
                }
                if (random.one_in(16)) {
                    auto* const sent = static_cast<std::uint64_t*>(default_heap::allocate(64));
                    default_heap::release(exchange[random.below(exchange.size())].exchange(sent));
                }
            }
            for (const Held& held : mine) {
                wrong += is_intact(held) ? 0U : 1U;
                default_heap::release(held.block);
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    for (std::atomic<std::uint64_t*>& sent : exchange) {
        default_heap::release(sent.exchange(nullptr));
    }
    mesher.stop();
    CHECK(wrong == 0);
    default_heap::trim();
    check_heap();
    CHECK(heap::meshed_spans() == 0);
}

TEST_CASE("blocks freed by their own thread leave the pages shared") {
    if (!is_possible()) {
        return;
    }
    std::vector<Held> left = survivors(16 * kMiB / 256, 256, 16, true);
    default_heap::trim();
    const std::size_t before = memory_bytes();
    for (std::size_t i = 0; i < left.size(); ++i) {
        if (i % 2 == 0) {
            default_heap::release(left[i].block);
            left[i] = {};
        }
    }
    // Written to, they would need 16 MiB. A pass of the clock may be under way, whose plan needs some memory.
    CHECK(memory_bytes() < before + 2 * kMiB);
    std::erase_if(left, [](const Held& held) { return held.block == nullptr; });
    CHECK(are_intact(left));
    release_all(left);
    default_heap::trim();
    CHECK(heap::meshed_spans() == 0);
}

// A sanitizer's runtime needs mappings itself.
#if !HEAPWRIGHT_UNDER_TSAN && !HEAPWRIGHT_UNDER_ASAN
TEST_CASE("where no mapping is left to be had, nothing is lost, and all comes back later") {
    if (!is_possible()) {
        return;
    }
    std::vector<Held> left = survivors(8 * kMiB / 256, 256, 16, true);
    // Every second page has other rights, so that each page is a mapping.
    constexpr std::size_t kBytes = std::size_t{70'000} * 4096;
    auto* const pages = static_cast<char*>(::mmap(nullptr, kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    REQUIRE(pages != MAP_FAILED);
    bool is_full = false;
    SUBCASE("before meshing") {
        for (std::size_t at = 4096; at < kBytes && !is_full; at += 8192) {
            is_full = ::mprotect(pages + at, 4096, PROT_READ) != 0;
        }
        default_heap::trim();
        CHECK(are_intact(left));
    }
    SUBCASE("after it") {
        default_heap::trim();
        CHECK(heap::meshed_spans() > 0);
        for (std::size_t at = 4096; at < kBytes && !is_full; at += 8192) {
            is_full = ::mprotect(pages + at, 4096, PROT_READ) != 0;
        }
        CHECK(are_intact(left));
    }
    release_all(left);
    ::munmap(pages, kBytes);
    default_heap::trim();
    check_heap();
    CHECK(heap::meshed_spans() == 0);
}
#endif

}  // namespace
}  // namespace heapwright::test
