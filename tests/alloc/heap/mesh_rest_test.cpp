// Free blocks in shared pages rest: malloc takes them where there is no memory for a new span, and not before.
#include <algorithm>
#include <cstdint>
#include <map>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/heap/default_heap.hpp>
#include <heapwright/alloc/heap/detail/clock.hpp>
#include <heapwright/alloc/heap/detail/mesh_record.hpp>
#include <heapwright/alloc/heap/detail/regions.hpp>
#include <heapwright/alloc/heap/detail/thread_state.hpp>
#include <heapwright/os/pages.hpp>

namespace heapwright::test {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::size_t kBytes = 256;
constexpr std::size_t kShare = 16;

using Blocks = std::vector<std::uint64_t*>;

std::uint64_t word_of(const void* block) { return reinterpret_cast<std::uintptr_t>(block) * 0x9E3779B97F4A7C15U; }

std::uint64_t* make() {
    auto* const block = static_cast<std::uint64_t*>(default_heap::allocate(kBytes));
    if (block != nullptr) {
        block[kBytes / 8 - 1] = word_of(block);
    }
    return block;
}

/// Every sixteenth of so many MiB is left.
Blocks survivors(std::size_t mib) {
    Blocks made(mib * kMiB / kBytes);
    std::generate(made.begin(), made.end(), make);
    Blocks left;
    for (std::size_t i = 0; i < made.size(); ++i) {
        if (i % kShare == 0) {
            left.push_back(made[i]);
        } else {
            default_heap::release(made[i]);
        }
    }
    return left;
}

/// Whether a block reaches into a page that its span shares.
bool is_shared(const void* block) {
    const heap::Span* const span = heap::record_of_first(heap::find_span(block));
    if (!span->is_meshed()) {
        return false;
    }
    const auto offset = static_cast<std::size_t>(static_cast<const char*>(block) - span->start);
    return (heap::mesh_record_of(span)->shared >> (offset / os::kPageBytes) & 1) != 0;
}

std::size_t shared_of(const Blocks& blocks) { return static_cast<std::size_t>(std::count_if(blocks.begin(), blocks.end(), is_shared)); }

bool are_intact(const Blocks& blocks) {
    return std::all_of(blocks.begin(), blocks.end(), [](const std::uint64_t* block) { return block[kBytes / 8 - 1] == word_of(block); });
}

void release_all(Blocks& blocks) {
    for (std::uint64_t* block : blocks) {
        default_heap::release(block);
    }
    blocks.clear();
    default_heap::trim();
    CHECK(heap::g_default_core.broken_invariant() == nullptr);
}

TEST_CASE("malloc leaves what is free in shared pages where it is") {
    if (!default_heap::begin_meshing()) {
        MESSAGE("this process may not mesh");
        return;
    }
    Blocks left = survivors(32);
    default_heap::trim();
    REQUIRE(shared_of(left) > left.size() / 2);
    Blocks more(16 * kMiB / kBytes);
    SUBCASE("of the thread's own spans") { std::generate(more.begin(), more.end(), make); }
    SUBCASE("of spans that nobody owns") {
        Blocks others;
        std::thread([&] { others = survivors(32); }).join();
        default_heap::trim();
        CHECK(shared_of(others) > others.size() / 2);
        left.insert(left.end(), others.begin(), others.end());
        std::generate(more.begin(), more.end(), make);
    }
    CHECK(shared_of(more) == 0);
    CHECK(heap::g_default_core.broken_invariant() == nullptr);
    CHECK(are_intact(left));
    // What is freed in shared pages rests as well.
    const std::size_t half = left.size() / 2;
    for (std::size_t i = half; i < left.size(); ++i) {
        default_heap::release(left[i]);
    }
    left.resize(half);
    for (std::size_t i = 0; i < half; ++i) {
        more.push_back(make());
    }
    CHECK(shared_of(more) == 0);
    CHECK(are_intact(left));
    CHECK(are_intact(more));
    release_all(more);
    CHECK(are_intact(left));
    release_all(left);
    CHECK(heap::meshed_spans() == 0);
}

/// Two blocks of each shared span, so that all of them stay.
Blocks two_of_each_shared(const Blocks& blocks) {
    std::map<const heap::Span*, Blocks> by_span;
    for (std::uint64_t* const block : blocks) {
        by_span[heap::record_of_first(heap::find_span(block))].push_back(block);
    }
    Blocks chosen;
    for (const auto& [span, all] : by_span) {
        const bool is_whole = span->state != heap::SpanState::active && all.size() > 2 && shared_of(all) == all.size();
        chosen.insert(chosen.end(), all.begin(), all.begin() + (is_whole ? 2 : 0));
    }
    return chosen;
}

TEST_CASE("what comes home to meshed spans is noted down, 256 blocks at once as of other spans") {
    constexpr std::size_t kAtOnce = 256;
    if (!default_heap::begin_meshing()) {
        return;
    }
    std::thread([] {
        Blocks left = survivors(32);
        default_heap::trim();
        const Blocks chosen = two_of_each_shared(left);
        REQUIRE(chosen.size() > 2 * kAtOnce);
        std::erase_if(left, [&](std::uint64_t* block) { return std::find(chosen.begin(), chosen.end(), block) != chosen.end(); });
        heap::ThreadCache& cache = *heap::t_state.cache;
        const auto put = [&](std::uint64_t* block) {
            auto* const freed = reinterpret_cast<heap::FreeBlock*>(block);
            cache.mail.put(freed, freed);
        };
        {
            const os::LockGuard guard(heap::turn_lock());  // the clock forwards no mail meanwhile
            std::for_each(chosen.begin(), chosen.end(), put);
            cache.open_mail();
            std::size_t waiting = 0;
            heap::FreeBlock* const first = cache.mail.take();
            for (const heap::FreeBlock* block = first; block != nullptr; block = block->next) {
                ++waiting;
            }
            CHECK(waiting == chosen.size() - kAtOnce);
            cache.mail.put_back(first);
            cache.open_mail();
        }
        CHECK(are_intact(left));
        release_all(left);
    }).join();
    default_heap::trim();
    CHECK(heap::g_default_core.broken_invariant() == nullptr);
    CHECK(heap::meshed_spans() == 0);
}

TEST_CASE("where no memory is left for a new span, malloc takes what is free in shared pages") {
    if (!default_heap::begin_meshing()) {
        return;
    }
    Blocks left = survivors(16);
    Blocks others;
    std::thread([&] { others = survivors(16); }).join();
    left.insert(left.end(), others.begin(), others.end());
    default_heap::trim();
    default_heap::set_limit(heap::g_default_core.span_bytes());
    Blocks more;
    for (std::uint64_t* block = make(); block != nullptr; block = make()) {
        more.push_back(block);
    }
    default_heap::set_limit(0);
    // Nearly all that was freed, but for what went back with whole spans.
    CHECK(shared_of(more) > 20 * kMiB / kBytes);
    CHECK(are_intact(left));
    CHECK(are_intact(more));
    CHECK(heap::g_default_core.broken_invariant() == nullptr);
    release_all(more);
    CHECK(are_intact(left));
    release_all(left);
    CHECK(heap::meshed_spans() == 0);
}

}  // namespace
}  // namespace heapwright::test
