// Roots: the linked ones, handles, constructors that run, and stacks word by word.
#include <heapwright/base/check.hpp>
#include <heapwright/base/platform.hpp>
#include <heapwright/own/gc/detail/collector.hpp>
#include <heapwright/own/gc/detail/marker.hpp>
#include <heapwright/own/gc/detail/stack.hpp>
#include <heapwright/own/gc/root.hpp>

#if HEAPWRIGHT_UNDER_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace heapwright::gc::detail {

void link_root(RootNode& node, Collector& collector, bool is_weak) noexcept {
    const os::LockGuard guard(collector.lock);
    RootNode& ring = is_weak ? collector.weak_roots : collector.roots;
    node.collector = &collector;
    node.is_weak = is_weak;
    node.next = ring.next;
    node.previous = &ring;
    ring.next->previous = &node;
    ring.next = &node;
    ++collector.root_count;
}

void unlink_root(RootNode& node) noexcept {
    const os::LockGuard guard(node.collector->lock);
    node.previous->next = node.next;
    node.next->previous = node.previous;
    --node.collector->root_count;
}

/// Whether such a mark byte stands for an object at the moment.
bool Collector::is_object(std::uint8_t mark) const noexcept {
    const unsigned its_epoch = mark & kMarkEpochs;
    return its_epoch == epoch || (its_epoch == 0 ? (mark & kMarkIndexed) != 0 : both_epochs);
}

/// Writes mark bytes for the young objects of a block, so that an address inside one can be found.
void Collector::index_young(std::byte* block) noexcept {
    BlockInfo& info = block_of(block);
    if (__atomic_load_n(&info.is_indexed, __ATOMIC_ACQUIRE)) {  // pairs with the release below, of another marker
        return;
    }
    __atomic_store_n(&info.has_index, true, __ATOMIC_RELAXED);  // read while the world is stopped and nobody marks
    for_each_young(block, [](Header* header) {
        // Not over a mark that another marker sets at the same time. Relaxed: as all of these bytes.
        std::uint8_t none = 0;
        static_cast<void>(__atomic_compare_exchange_n(mark_of(header), &none, static_cast<std::uint8_t>(kMarkIndexed | half_of(header)),
                                                      false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    });
    __atomic_store_n(&info.is_indexed, true, __ATOMIC_RELEASE);  // pairs with the acquire above
}

namespace {

/// The last of `granules` mark bytes that says that an object begins, and how many there are up to it; 0 if none does.
std::uint8_t last_mark(const std::uint8_t* marks, std::size_t& granules) noexcept {
    using Word [[gnu::may_alias]] = std::uint64_t;
    constexpr std::uint64_t kAnyObject = kMarkObject * std::uint64_t{0x0101'0101'0101'0101};
    while (granules != 0) {
        // Relaxed: as all of these bytes.
        if (granules % sizeof(Word) == 0 &&
            (__atomic_load_n(reinterpret_cast<const Word*>(marks + granules - sizeof(Word)), __ATOMIC_RELAXED) & kAnyObject) == 0) {
            granules -= sizeof(Word);
            continue;
        }
        if (const std::uint8_t mark = load_byte(marks + granules - 1); (mark & kMarkObject) != 0) {
            return mark;
        }
        --granules;
    }
    return 0;
}

}  // namespace

/// The object around an address, its header included.
FoundObject Collector::find_object(const void* address) noexcept {
    const auto* at = static_cast<const std::byte*>(address);
    std::uint8_t kind = chunk_kind(at);
    if (kind == kNoChunk) {
        return {};
    }
    const std::byte* search = at;
    while (kind == kContinuation) {
        search = chunk_base(search) - kChunkBytes;
        kind = chunk_kind(search);
    }
    Chunk* const chunk = chunk_of(search);
    if (chunk->owner != this || (search == at && offset_in_chunk(at) < kFirstByte)) {
        return {};
    }
    std::byte* block = chunk_base(search) + (chunk->is_huge ? kFirstByte : offset_in_chunk(search) & ~(kBlockBytes - 1));
    if (chunk->is_huge) {
        search = block;
    }
    BlockInfo& info = block_of(block);
    if (info.state != BlockState::used && info.state != BlockState::inside) {
        return {};
    }
    if ((load_byte(line_of(search)) & kLineYoung) != 0 && info.state == BlockState::used) {
        index_young(block);
    }
    // Nothing begins in a block that a large object covers.
    std::size_t granules = info.state == BlockState::inside ? 0 : ((number_of(search) & (kBlockBytes - 1)) >> kGranuleShift) + 1;
    while (granules != 0) {
        const std::uint8_t mark = last_mark(mark_of(block), granules);
        if (mark == 0) {
            break;
        }
        auto* const header =
            reinterpret_cast<Header*>(block + ((granules - 1) << kGranuleShift) + ((mark & kMarkHalf) != 0 ? kUnitBytes : 0));
        if (number_of(header) > number_of(search)) {
            --granules;
            continue;
        }
        if (!is_object(mark)) {
            return {};  // something dead begins between
        }
        const std::size_t size_bytes = size_of(header);
        return number_of(at) < number_of(header) + size_bytes ? FoundObject{.header = header, .size_bytes = size_bytes} : FoundObject{};
    }
    if (info.back_blocks == 0) {
        return {};
    }
    // The tail of a large object.
    block -= info.back_blocks * kBlockBytes;
    if (block_of(block).state != BlockState::used) {
        return {};
    }
    if ((load_byte(line_of(block)) & kLineYoung) != 0) {
        index_young(block);
    }
    const std::uint8_t mark = load_byte(mark_of(block));
    auto* const header = reinterpret_cast<Header*>(block);
    if (mark == 0 || (mark & kMarkHalf) != 0 || !is_object(mark)) {
        return {};
    }
    const std::size_t size_bytes = size_of(header);
    return number_of(at) < number_of(header) + size_bytes ? FoundObject{.header = header, .size_bytes = size_bytes} : FoundObject{};
}

/// Marks whatever any of these words could refer to.
HEAPWRIGHT_GC_UNWATCHED void Collector::scan_words(Marker& marker, const void* begin, const void* end) noexcept {
    const auto* word = reinterpret_cast<const std::uintptr_t*>((number_of(begin) + 7) & ~std::uintptr_t{7});
    for (; number_of(word + 1) <= number_of(end); ++word) {
        const auto* const address = reinterpret_cast<const void*>(*word);
        if (chunk_kind(address) == kNoChunk) {
            continue;
        }
        // An object is named by an address in what the program sees of it; its end belongs to it where nothing else begins.
        if (const FoundObject found = find_object(address); found.header != nullptr && number_of(address) != number_of(found.header)) {
            ++marker.pinned_by_words;
            marker.pin(found.header);
        }
    }
}

namespace {

/// A stack and, under AddressSanitizer, the frames it keeps elsewhere.
HEAPWRIGHT_GC_UNWATCHED void scan_stack(Collector& collector, Marker& marker, const void* begin, const void* end,
                                        [[maybe_unused]] void* fake_stack) noexcept {
    collector.scan_words(marker, begin, end);
#if HEAPWRIGHT_UNDER_ASAN
    if (fake_stack == nullptr) {
        return;
    }
    for (const auto* word = static_cast<void* const*>(begin); word < end; ++word) {
        void* frame_begin = nullptr;
        void* frame_end = nullptr;
        if (__asan_addr_is_in_fake_stack(fake_stack, *word, &frame_begin, &frame_end) != nullptr) {
            collector.scan_words(marker, frame_begin, frame_end);
        }
    }
#endif
}

}  // namespace

/// Marks what is referred to from outside the heap.
HEAPWRIGHT_NOINLINE void Collector::mark_roots(Marker& marker, Mutator& self) noexcept {
    for (Mutator* mutator = mutators; mutator != nullptr; mutator = mutator->next) {
        for (Construction* inner = mutator->constructing; inner != nullptr; inner = inner->outer) {
            marker.pin(header_of(inner->object));
        }
    }
    if (config.stack == StackScan::conservative) {
        Registers registers{};
        save_registers(registers);
        scan_words(marker, &registers, &registers + 1);
        void* fake_stack = nullptr;
#if HEAPWRIGHT_UNDER_ASAN
        fake_stack = __asan_get_current_fake_stack();
#endif
        scan_stack(*this, marker, stack_pointer(), self.stack_end, fake_stack);
        for (Mutator* mutator = mutators; mutator != nullptr; mutator = mutator->next) {
            if (mutator != &self && mutator->stack_pointer != nullptr) {
                scan_words(marker, &mutator->registers, &mutator->registers + 1);
                scan_stack(*this, marker, mutator->stack_pointer, mutator->stack_end, mutator->fake_stack);
            }
        }
    }
    // Ambiguous roots are first: what they name stays where it is. So do objects that are pinned, and those that a root knows
    // by a base in their middle.
    for (RootNode* node = roots.next; node != &roots; node = node->next) {
        if (node->stays && node->target != nullptr) {
            const FoundObject found = find_object(node->target);
            HEAPWRIGHT_CHECK(found.header != nullptr, "a root or a pin refers to no object of its heap");
            marker.pin(found.header);
        }
    }
    for (RootNode* node = roots.next; node != &roots; node = node->next) {
        if (!node->stays) {
            marker.root(&node->target);
        }
    }
    for (std::size_t index = next_ready == 0 ? 0 : next_ready - 1; index < ready.size(); ++index) {
        marker.root(&ready[index].object);
    }
    for (Mutator* mutator = mutators; mutator != nullptr; mutator = mutator->next) {
        for (void** handle = mutator->handles_begin; handle != mutator->handles_top; ++handle) {
            marker.root(handle);
        }
    }
}

}  // namespace heapwright::gc::detail
