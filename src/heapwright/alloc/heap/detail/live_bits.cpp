// A table of bits beside each region, reserved as a whole and made usable as far as the region is used.
#include <heapwright/alloc/heap/detail/live_bits.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>

#include <heapwright/alloc/heap/detail/regions.hpp>
#include <heapwright/os/pages.hpp>
#include <heapwright/os/spin_lock.hpp>

namespace heapwright::heap {

namespace {

constexpr std::size_t kBytesOfBit = kSmallestBytes;
constexpr std::size_t kBytesOfWord = 64 * kBytesOfBit;
/// The table becomes usable in steps of so much, which is enough for 4 MiB of blocks, or of a quarter of what it is.
constexpr std::size_t kStepBytes = std::size_t{64} << 10;
constexpr std::size_t kMostTables = 256;  // as there are regions

struct Table {
    const char* base = nullptr;  // the first slice that may hold blocks
    std::size_t bytes = 0;
    std::atomic<std::uint64_t>* words = nullptr;
    std::size_t word_bytes = 0;
    std::atomic<std::size_t> usable_bytes{0};  // of the words
};

constinit std::array<Table, kMostTables> g_tables{};
constinit std::atomic<std::size_t> g_count{0};
constinit os::SpinLock g_lock;  // of making tables, and of making more of them usable

/// Where a block's bit is; no word where nothing was ever marked.
struct Bit {
    std::atomic<std::uint64_t>* word = nullptr;
    std::uint64_t mask = 0;
};

Table* table_of(const void* address) noexcept {
    const std::size_t count = g_count.load(std::memory_order_acquire);  // pairs with the release in add_table()
    for (std::size_t i = 0; i < count; ++i) {
        if (static_cast<std::size_t>(static_cast<const char*>(address) - g_tables[i].base) < g_tables[i].bytes) {
            return &g_tables[i];
        }
    }
    return nullptr;
}

Bit bit_of(const void* block) noexcept {
    const Table* const table = table_of(block);
    if (table == nullptr) {
        return {};
    }
    const auto offset = static_cast<std::size_t>(static_cast<const char*>(block) - table->base);
    const std::size_t word = offset / kBytesOfWord;
    // Acquire pairs with the release in make_usable(): what is below it may be read.
    if ((word + 1) * sizeof(std::uint64_t) > table->usable_bytes.load(std::memory_order_acquire) || offset % kBytesOfBit != 0) {
        return {};
    }
    return {.word = table->words + word, .mask = std::uint64_t{1} << (offset / kBytesOfBit % 64)};
}

Table* add_table(const void* block) noexcept {
    Region* home = nullptr;
    for_each_region([&](Region& region) { home = region.contains(block) ? &region : home; });
    const std::size_t count = g_count.load(std::memory_order_relaxed);  // changes under the lock, which is held
    if (home == nullptr || count == g_tables.size()) {
        return nullptr;
    }
    Table& table = g_tables[count];
    const std::size_t skipped = std::size_t{home->first_slice()} * kSliceBytes;
    table.base = reinterpret_cast<const char*>(home->records()) + skipped;
    table.bytes = home->reserved_bytes() - skipped;
    table.word_bytes = os::round_to_pages(table.bytes / kBytesOfWord * sizeof(std::uint64_t));
    void* const words = os::reserve(table.word_bytes, os::kPageBytes, "heapwright heap");
    if (words == nullptr) {
        return nullptr;
    }
    table.words = static_cast<std::atomic<std::uint64_t>*>(words);
    g_count.store(count + 1, std::memory_order_release);  // pairs with the acquire in table_of()
    return &table;
}

/// Sees to it that the block has a bit.
HEAPWRIGHT_COLD bool make_usable(const void* block) noexcept {
    const os::LockGuard guard(g_lock);
    Table* table = table_of(block);
    if (table == nullptr) {
        table = add_table(block);
        if (table == nullptr) {
            return false;
        }
    }
    const auto offset = static_cast<std::size_t>(static_cast<const char*>(block) - table->base);
    const std::size_t needed = os::round_to_pages((offset / kBytesOfWord + 1) * sizeof(std::uint64_t));
    const std::size_t usable = table->usable_bytes.load(std::memory_order_relaxed);  // changes under the lock
    if (needed <= usable) {
        return true;
    }
    std::size_t goal = std::min(table->word_bytes, os::round_to_pages(std::max(needed, usable + std::max(kStepBytes, usable / 4))));
    char* const start = reinterpret_cast<char*>(table->words) + usable;
    if (!os::commit(start, goal - usable)) {
        goal = needed;  // a step ahead is too much; what is needed may not be
        if (!os::commit(start, goal - usable)) {
            return false;
        }
    }
    table->usable_bytes.store(goal, std::memory_order_release);  // pairs with the acquire in bit_of()
    return true;
}

}  // namespace

Marked mark_live(const void* block) noexcept {
    Bit bit = bit_of(block);
    if (HEAPWRIGHT_UNLIKELY(bit.word == nullptr)) {
        bit = make_usable(block) ? bit_of(block) : Bit{};
        if (bit.word == nullptr) {
            return Marked::no_memory;
        }
    }
    // Relaxed, here and below: the bit says who comes first, and nothing is read through it.
    return (bit.word->fetch_or(bit.mask, std::memory_order_relaxed) & bit.mask) == 0 ? Marked::now : Marked::before;
}

bool unmark_live(const void* block) noexcept {
    const Bit bit = bit_of(block);
    return bit.word != nullptr && (bit.word->fetch_and(~bit.mask, std::memory_order_relaxed) & bit.mask) != 0;  // as above
}

bool is_live(const void* block) noexcept {
    const Bit bit = bit_of(block);
    return bit.word != nullptr && (bit.word->load(std::memory_order_relaxed) & bit.mask) != 0;  // as above
}

const void* live_block_before(const void* address) noexcept {
    const Table* const table = table_of(address);
    const std::size_t usable = table == nullptr ? 0 : table->usable_bytes.load(std::memory_order_acquire);  // as in bit_of()
    if (usable == 0) {
        return nullptr;
    }
    const auto offset = static_cast<std::size_t>(static_cast<const char*>(address) - table->base);
    const std::size_t most = usable / sizeof(std::uint64_t) * 64 - 1;
    const std::size_t last = std::min(offset / kBytesOfBit, most);
    std::uint64_t kept = ~std::uint64_t{0} >> (63 - last % 64);  // the bits up to the last
    for (std::size_t word = last / 64 + 1; word-- > 0; kept = ~std::uint64_t{0}) {
        const std::uint64_t live = table->words[word].load(std::memory_order_relaxed) & kept;  // as above
        if (live != 0) {
            return table->base + (word * 64 + static_cast<std::size_t>(std::bit_width(live)) - 1) * kBytesOfBit;
        }
    }
    return nullptr;
}

void lock_live_bits() noexcept { g_lock.lock(); }
void unlock_live_bits() noexcept { g_lock.unlock(); }
void reset_live_bits_after_fork() noexcept { g_lock.reset_after_fork(); }

}  // namespace heapwright::heap
