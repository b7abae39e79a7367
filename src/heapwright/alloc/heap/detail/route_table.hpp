// From the code that asks for a block to where the block goes.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <heapwright/base/platform.hpp>

namespace heapwright::heap {

/// Return addresses that the plan names, open addressed, and what it says of them. One table serves while the next is written;
/// a reader that was delayed for two changes may find an entry half changed, and then uses another valid place.
///
///   RT1  the last slot is empty, so that every search ends
///   RT2  at most half of the slots are in use, those behind the mask not counted
///
/// Thread safety: any thread reads; one writes, and nobody reads what it writes before it is published.
class alignas(kCacheLineBytes) RouteTable {
public:
    /// 32 bytes, so that none lies on two lines.
    struct alignas(32) Slot {
        std::atomic<std::uintptr_t> code{0};  ///< the return address; 0: empty
        std::atomic<std::uint32_t> least{0};  ///< bytes
        std::atomic<std::uint32_t> more{0};   ///< bytes that the largest request is longer
        std::atomic<std::uint32_t> place{0};
        std::atomic<std::uint32_t> context{0};  ///< number of the context whose outer callers must be there too; 0: any
        std::atomic<std::uint32_t> site{0};     ///< number of the plan's entry
        std::atomic<std::uint32_t> caller{0};   ///< lower half of the first of those callers' code; 0: not loaded
    };
    static_assert(sizeof(Slot) == 32);

    /// Bytes of a table that holds `routes`.
    [[nodiscard]] static std::size_t bytes_for(std::uint32_t routes) noexcept;
    /// Makes all slots empty. Requires: memory of bytes_for(routes) follows, aligned to 64.
    void clear(std::uint32_t routes) noexcept;
    /// What a slot says.
    struct Route {
        std::uintptr_t code = 0;
        std::uint32_t least = 0;
        std::uint32_t most = 0;
        std::uint32_t place = 0;
        std::uint32_t context = 0;
        std::uint32_t site = 0;
        std::uintptr_t caller = 0;
    };
    /// Of two with the same code, the first one added is found first.
    void add(const Route& route) noexcept;

    /// Where the search for this code begins.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE const Slot* begin_of(std::uintptr_t code) const noexcept {
        const std::uintptr_t mixed = (code * kMix) >> 27U;
        return reinterpret_cast<const Slot*>(reinterpret_cast<const char*>(slots()) + (mixed & mask_));
    }
    /// The first entry, from `slot` on, for this code and size; nullptr when there is none.
    ///
    /// Cost: 11 instructions where no other code has the same beginning.
    [[nodiscard]] static HEAPWRIGHT_ALWAYS_INLINE const Slot* find_from(const Slot* slot, std::uintptr_t code, std::size_t bytes) noexcept {
        for (;; ++slot) {
            // Relaxed here and below: see above; each of the words is valid by itself.
            const std::uintptr_t there = slot->code.load(std::memory_order_relaxed);
            if (HEAPWRIGHT_LIKELY(there == 0)) {
                return nullptr;
            }
            if (there == code && bytes - slot->least.load(std::memory_order_relaxed) <= slot->more.load(std::memory_order_relaxed)) {
                return slot;
            }
        }
    }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE const Slot* find(std::uintptr_t code, std::size_t bytes) const noexcept {
        return find_from(begin_of(code), code, bytes);
    }

    /// Whether the plan names modules that may still be loaded: who finds nothing then tells where it came from.
    [[nodiscard]] bool watches() const noexcept { return watches_; }
    void set_watches(bool watches) noexcept { watches_ = watches; }

    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() const noexcept;

private:
    static constexpr std::uintptr_t kMix = 0x9E37'79B9'7F4A'7C15;

    [[nodiscard]] const Slot* slots() const noexcept { return reinterpret_cast<const Slot*>(this + 1); }
    [[nodiscard]] Slot* slots() noexcept { return reinterpret_cast<Slot*>(this + 1); }

    std::uintptr_t mask_ = 0;  // in bytes: of a multiple of a slot
    std::uint32_t slots_ = 0;
    std::uint32_t used_ = 0;
    bool watches_ = false;
};
static_assert(sizeof(RouteTable) == 64);

}  // namespace heapwright::heap
