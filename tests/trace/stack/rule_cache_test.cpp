// Rules of return addresses: learnt, kept, forgotten.
#include <heapwright/trace/stack/rule_cache.hpp>

#include <array>
#include <thread>
#include <vector>

#include <dlfcn.h>
#include <sys/mman.h>

#include <doctest/doctest.h>

#include <heapwright/os/maps.hpp>

using namespace heapwright::trace::stack;

namespace {

struct Cache : RuleCache {
    explicit Cache(std::uint32_t most = kDefaultMaxPcs) { REQUIRE(open(most)); }
    ~Cache() { close(); }
    Known ask(std::uintptr_t pc) {
        std::array<char, heapwright::os::kMapsBufferBytes> buffer;
        return lookup(pc, buffer);
    }
};

__attribute__((noinline)) std::uintptr_t return_address() { return reinterpret_cast<std::uintptr_t>(__builtin_return_address(0)); }

}  // namespace

TEST_CASE("a return address keeps its number and its rule") {
    Cache cache;
    const std::uintptr_t pc = return_address();
    const RuleCache::Known known = cache.ask(pc);
    CHECK(known.index == PcIndex{1});
    CHECK(known.rule.is_table());
    CHECK(cache.pc(known.index) == pc);
    CHECK(cache.ask(pc).index == known.index);
    CHECK(cache.ask(pc).rule == known.rule);
    CHECK(cache.known_pcs() == 1);
    CHECK(cache.broken_invariant() == nullptr);
}

TEST_CASE("what is not code is not kept") {
    Cache cache;
    int local = 0;
    for (const std::uintptr_t pc : {std::uintptr_t{0}, std::uintptr_t{1}, reinterpret_cast<std::uintptr_t>(&local), ~std::uintptr_t{0}}) {
        CHECK(cache.ask(pc).rule.kind() == RuleKind::not_code);
        CHECK(cache.ask(pc).index == PcIndex::none);
    }
    CHECK(cache.known_pcs() == 0);
}

TEST_CASE("forgotten addresses get new numbers and the old numbers their old addresses") {
    Cache cache;
    const std::uintptr_t pc = return_address();
    const auto other = reinterpret_cast<std::uintptr_t>(&dlsym) + 1;
    const PcIndex old = cache.ask(pc).index;
    const PcIndex kept = cache.ask(other).index;
    const std::uint32_t generation = cache.generation();
    cache.forget(pc, pc + 1);
    CHECK(cache.generation() != generation);
    const PcIndex fresh = cache.ask(pc).index;
    CHECK(fresh != old);
    CHECK(cache.pc(old) == pc);
    CHECK(cache.pc(fresh) == pc);
    CHECK(cache.ask(other).index == kept);
    CHECK(cache.broken_invariant() == nullptr);
}

TEST_CASE("invalidate forgets what no loaded file holds any more, and only that") {
    void* const page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        return;  // a system that forbids it
    }
    Cache cache;
    const PcIndex here = cache.ask(return_address()).index;
    const auto generated = reinterpret_cast<std::uintptr_t>(page) + 100;
    const RuleCache::Known known = cache.ask(generated);
    CHECK(known.rule.kind() == RuleKind::frame_pointer);
    munmap(page, 4096);
    cache.invalidate();
    CHECK(cache.ask(return_address()).index == here);
    CHECK(cache.ask(generated).rule.kind() == RuleKind::not_code);
    const std::uint32_t generation = cache.generation();
    cache.invalidate();
    CHECK(cache.generation() == generation);
}

TEST_CASE("a full cache still gives rules, without numbers") {
    Cache cache{1};
    CHECK(cache.ask(return_address()).index == PcIndex{1});
    const RuleCache::Known known = cache.ask(reinterpret_cast<std::uintptr_t>(&dlsym) + 1);
    CHECK(known.index == PcIndex::none);
    CHECK(known.rule.kind() == RuleKind::from_rsp);
    CHECK(cache.refused() == 1);
}

TEST_CASE("threads that learn the same addresses get the same rules") {
    Cache cache;
    const auto code = reinterpret_cast<std::uintptr_t>(&return_address) + 1;
    std::vector<std::thread> threads;
    std::array<std::array<RuleCache::Known, 400>, 4> all;
    for (auto& of_thread : all) {
        threads.emplace_back([&] {
            for (std::size_t i = 0; i < of_thread.size(); ++i) {
                of_thread[i] = cache.ask(code + i);
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    for (const auto& of_thread : all) {
        for (std::size_t i = 0; i < of_thread.size(); ++i) {
            CHECK(of_thread[i].rule == all[0][i].rule);
            CHECK(of_thread[i].index == all[0][i].index);
        }
    }
}
