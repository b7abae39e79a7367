// Blocks come home: the owner takes them one by one, by the span that each lies in.
#include <heapwright/alloc/heap/detail/mailbox.hpp>

#include <heapwright/alloc/heap/detail/regions.hpp>
#include <heapwright/alloc/heap/detail/thread_state.hpp>

namespace heapwright::heap {

namespace {

/// A malloc or a free takes so many blocks home at most, and a span's more, so that none takes long: those of the mailbox, and those that
/// lie in their spans since others freed them. Each span that comes to its countdown may have four others looked at besides, which told that
/// something was freed into them (answer_notices): at most 64 in all, where little lies in any of them.
constexpr std::uint32_t kOpenedAtOnce = 256;
/// A block whose span was looked at counts as so many: it may be given back, and a meshed one is mapped anew before. Most blocks of meshed
/// spans are only noted down.
constexpr std::uint32_t kBlocksForSpan = 16;

/// The span of blocks that this block lies in: while the block lives, that does not change.
Span* span_of(const FreeBlock* block) noexcept { return record_of_first(find_span(block)); }

/// Frees a block into a span of somebody else, or of nobody: then the adopter takes the span over, because nobody would look at it.
void forward(Span* span, FreeBlock* block, ThreadCache* adopter) noexcept {
    const bool is_abandoned = span->owner.load(std::memory_order_relaxed) == owner::kAbandoned;  // who acts on it looks again
    if (adopter != nullptr && is_abandoned && adopter->heap()->put_into_abandoned(span, block)) {
        return;
    }
    if (adopter != nullptr && is_abandoned && adopter->adopt(span)) {
        adopter->take_home(span, block, block, 1);
    } else {
        push_remote(span, block, block);
    }
}

}  // namespace

void Mailbox::put_back(FreeBlock* first) noexcept {
    FreeBlock* empty = nullptr;
    while (!first_.compare_exchange_strong(empty, first, std::memory_order_release, std::memory_order_relaxed)) {  // pairs with take()
        if (FreeBlock* const arrived = take(); arrived != nullptr) {
            FreeBlock* last = arrived;
            while (last->next != nullptr) {
                last = last->next;
            }
            last->next = first;
            first = arrived;
        }
        empty = nullptr;
    }
}

void ThreadCache::open_mail() noexcept {
    const std::uint32_t begin = brought_.load(std::memory_order_relaxed);  // compared only
    FreeBlock* block = mail.take();
    for (std::uint32_t opened = 0; block != nullptr; ++opened) {
        if (opened + brought_.load(std::memory_order_relaxed) - begin >= kOpenedAtOnce) {  // as above
            mail.put_back(block);
            return;
        }
        FreeBlock* const following = block->next;
        __builtin_prefetch(following);
        Span* const span = span_of(block);
        // Relaxed: both tell of this thread only if this thread wrote them.
        const bool is_ours = span->cache.load(std::memory_order_relaxed) == this;
        const std::uintptr_t strangeness = span->owner.load(std::memory_order_relaxed) ^ thread();
        if (!is_ours) {
            forward(span, block, this);
        } else if (strangeness != 0) {
            opened += take_home_asking(span, block, strangeness) == Came::placed ? kBlocksForSpan : 0;
        } else if (Sink* const sink = span->sink; push(sink, block)) {
            static_cast<void>(on_due(span, sink));
            opened += kBlocksForSpan;
        }
        block = following;
    }
    emptied_.store(emptied_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);  // only this thread writes it
}

void ThreadCache::forward_mail(ThreadCache* adopter) noexcept {
    FreeBlock* block = mail.take();
    while (block != nullptr) {
        FreeBlock* const following = block->next;
        forward(span_of(block), block, adopter);
        block = following;
    }
}

void ThreadCache::forward_stale_mail() noexcept {
    const std::uint32_t emptied = emptied_.load(std::memory_order_relaxed);  // compared only
    if (mail.has_mail() && emptied == emptied_seen_.exchange(emptied, std::memory_order_relaxed)) {
        forward_mail(nullptr);
    }
}

}  // namespace heapwright::heap
