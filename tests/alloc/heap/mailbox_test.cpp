// Blocks that other threads freed come home in portions: no malloc and no free takes long, however much waits.
#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/heap/default_heap.hpp>
#include <heapwright/alloc/heap/detail/clock.hpp>
#include <heapwright/alloc/heap/detail/heap_core.hpp>
#include <heapwright/alloc/heap/detail/regions.hpp>
#include <heapwright/alloc/heap/detail/thread_state.hpp>
#include <heapwright/alloc/heap/detail/visitor.hpp>

namespace heapwright::test {

namespace {

constexpr std::size_t kBytes = 32;
constexpr std::size_t kSpans = 64;
constexpr std::size_t kBlocksOfSpan = heap::kSliceBytes / kBytes;
/// Of each span, so many come by mail: more than a full span waits for. The others lie in the span.
constexpr std::size_t kByMail = 40;

using BlocksOfSpans = std::map<heap::Span*, std::vector<heap::FreeBlock*>>;

/// Full spans of this thread, each with all of its blocks.
BlocksOfSpans full_spans() {
    BlocksOfSpans spans;
    for (std::size_t i = 0; i < (kSpans + 1) * kBlocksOfSpan; ++i) {
        void* const block = default_heap::allocate(kBytes);
        spans[heap::find_span(block)].push_back(static_cast<heap::FreeBlock*>(block));
    }
    std::erase_if(spans, [](const auto& one) {
        const bool is_partial = one.second.size() != kBlocksOfSpan || one.first->state == heap::SpanState::active;
        if (is_partial) {
            std::for_each(one.second.begin(), one.second.end(), [](void* block) { default_heap::release(block); });
        }
        return is_partial;
    });
    return spans;
}

/// As other threads, and the clock on their behalf, free all but the first block of each span.
void free_as_others(heap::ThreadCache& cache, const BlocksOfSpans& spans) {
    for (const auto& [span, blocks] : spans) {
        for (std::size_t i = 1; i < blocks.size(); ++i) {
            if (i <= kByMail) {
                cache.mail.put(blocks[i], blocks[i]);
            } else {
                heap::push_remote(span, blocks[i], blocks[i]);
            }
        }
    }
}

std::size_t count_with_frees_of_others(const BlocksOfSpans& spans) {
    return static_cast<std::size_t>(
        std::count_if(spans.begin(), spans.end(), [](const auto& one) { return one.first->remote.load() > heap::kWantsNotice; }));
}

/// Ends the thread's part: what is left of the spans goes, too.
void release_firsts(const BlocksOfSpans& spans) {
    for (const auto& [span, blocks] : spans) {
        default_heap::release(blocks.front());
    }
}

}  // namespace

TEST_CASE("a malloc or a free takes few blocks home that others freed, by mail or into the spans, and the next ones the rest") {
    std::thread([] {
        const BlocksOfSpans spans = full_spans();
        REQUIRE(spans.size() >= kSpans / 2);
        heap::ThreadCache& cache = *heap::t_state.cache;
        {
            const os::LockGuard guard(heap::turn_lock());  // the clock forwards no mail meanwhile
            const os::LockGuard visiting(heap::visitor_lock());
            free_as_others(cache, spans);
            CHECK(count_with_frees_of_others(spans) == spans.size());
            cache.open_mail();
            CHECK(count_with_frees_of_others(spans) >= spans.size() - 2);
            CHECK(cache.mail.has_mail());
            for (std::size_t opened = 0; opened < kByMail * spans.size() && cache.mail.has_mail(); ++opened) {
                cache.open_mail();
            }
            CHECK(!cache.mail.has_mail());
            CHECK(count_with_frees_of_others(spans) == 0);
        }
        CHECK(cache.broken_invariant() == nullptr);
        release_firsts(spans);
    }).join();
    static_cast<void>(default_heap::trim());
    CHECK(heap::g_default_core.broken_invariant() == nullptr);
}

TEST_CASE(
    "the clock sends on what a thread leaves in its mailbox, also where it opens it again and again, and nothing of a thread that keeps "
    "up") {
    std::thread([] {
        const BlocksOfSpans spans = full_spans();
        REQUIRE(spans.size() >= kSpans / 2);
        heap::ThreadCache& cache = *heap::t_state.cache;
        {
            const os::LockGuard guard(heap::turn_lock());  // this test takes the clock's turns
            free_as_others(cache, spans);
            cache.open_mail();
            cache.forward_stale_mail();  // it may have emptied the mailbox since the turn before
            cache.open_mail();
            REQUIRE(cache.mail.has_mail());
            cache.forward_stale_mail();
            CHECK(!cache.mail.has_mail());
            CHECK(count_with_frees_of_others(spans) == spans.size());
        }
        release_firsts(spans);
        std::array<heap::FreeBlock*, 2> blocks{};
        for (heap::FreeBlock*& block : blocks) {
            block = static_cast<heap::FreeBlock*>(default_heap::allocate(kBytes));
        }
        {
            const os::LockGuard guard(heap::turn_lock());
            cache.mail.put(blocks[0], blocks[0]);
            for (std::size_t opened = 0; opened < kByMail * kSpans && cache.mail.has_mail(); ++opened) {
                cache.open_mail();
            }
            cache.mail.put(blocks[1], blocks[1]);
            cache.forward_stale_mail();
            CHECK(cache.mail.has_mail());
            cache.forward_stale_mail();
            CHECK(!cache.mail.has_mail());
        }
        CHECK(cache.broken_invariant() == nullptr);
    }).join();
    static_cast<void>(default_heap::trim());
    CHECK(heap::g_default_core.broken_invariant() == nullptr);
}

}  // namespace heapwright::test
