// Feeds a sequence of calls, made of the input's bytes, to the process's heap and to a ledger of what must be true.
//
// Steps are of four bytes: what to do, which block, and a size of two bytes that stands for up to 4 MiB.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include <heapwright/alloc/heap/default_heap.hpp>
#include <heapwright/alloc/heap/detail/regions.hpp>
#include <heapwright/base/bits.hpp>
#include <heapwright/os/report.hpp>

namespace {

namespace heap = heapwright::default_heap;

void must(bool holds) {
    if (!holds) {
        __builtin_trap();
    }
}

struct Live {
    unsigned char* block = nullptr;
    std::size_t bytes = 0;
    unsigned char mark = 0;
};

/// Blocks of more than that are looked at where they begin, at their last byte, and at a few bytes of each OS page.
constexpr std::size_t kLookedAtWhole = 4096;

template <class Act>
void for_each_byte(std::size_t bytes, Act act) {
    for (std::size_t at = 0; at < bytes; at += bytes <= kLookedAtWhole || at < 64 ? 1 : 509) {
        act(at);
    }
    if (bytes != 0) {
        act(bytes - 1);
    }
}

unsigned char pattern(const Live& live, std::size_t at) { return static_cast<unsigned char>(live.mark + at / 7); }

void write(const Live& live) {
    for_each_byte(live.bytes, [&](std::size_t at) { live.block[at] = pattern(live, at); });
}

/// Whether the first `bytes` of what was written are still there. The places looked at are those of the whole block.
void check_contents(const Live& live, std::size_t bytes) {
    for_each_byte(live.bytes, [&](std::size_t at) { must(at >= bytes || live.block[at] == pattern(live, at)); });
}

/// Small sizes as often as large ones; now and then one that no machine has.
std::size_t size_of(unsigned number) {
    if (number == 0xFFFF) {
        return SIZE_MAX - number % 17;
    }
    return std::size_t{number & 0xFFF} << (number >> 12) % 11;
}

class Player {
public:
    void step(const std::uint8_t* step) {
        const std::size_t bytes = size_of(unsigned{step[2]} * 256 + step[3]);
        Live* const chosen = live_.empty() ? nullptr : &live_[step[1] % live_.size()];
        const auto mark = static_cast<unsigned char>(step[0] ^ step[1]);
        switch (step[0] % 8) {
            case 0: allocate(heap::allocate(bytes), bytes, 1, mark); break;
            case 1: {
                const std::size_t alignment = std::size_t{1} << step[1] % 22;
                allocate(heap::allocate_aligned(bytes, alignment), bytes, alignment, mark);
                break;
            }
            case 2: allocate_zeroed(bytes, mark); break;
            case 3:
            case 4:
                if (chosen != nullptr) {
                    release(*chosen);
                }
                break;
            case 5:
                if (chosen != nullptr) {
                    reallocate(*chosen, bytes);
                }
                break;
            case 6: allocate(heap::allocate(step[3]), step[3], 1, mark); break;
            default: look(step[1]);
        }
    }
    void end() {
        while (!live_.empty()) {
            release(live_.back());
        }
        look(0);
    }

private:
    static constexpr std::size_t kMostBytes = std::size_t{128} << 20;

    void allocate(void* block, std::size_t bytes, std::size_t alignment, unsigned char mark) {
        if (block == nullptr) {
            must(bytes > kMostBytes);
            return;
        }
        must(heap::usable_bytes(block) >= bytes);
        must(heapwright::is_aligned(block, std::max(alignment, bytes > 8 ? std::size_t{16} : std::size_t{8})));
        live_.push_back({.block = static_cast<unsigned char*>(block), .bytes = bytes, .mark = mark});
        write(live_.back());
        held_ += bytes;
        while (held_ > kMostBytes) {
            release(live_.front());
        }
    }
    void allocate_zeroed(std::size_t bytes, unsigned char mark) {
        auto* const block = static_cast<unsigned char*>(heap::allocate_zeroed(bytes));
        if (block != nullptr) {
            must(std::all_of(block, block + std::min<std::size_t>(bytes, 1 << 16), [](unsigned char byte) { return byte == 0; }));
            for_each_byte(bytes, [&](std::size_t at) { must(block[at] == 0); });
        }
        allocate(block, bytes, 1, mark);
    }
    void release(Live& one) {
        check_contents(one, one.bytes);
        held_ -= one.bytes;
        heap::release(one.block);
        one = live_.back();
        live_.pop_back();
    }
    void reallocate(Live& one, std::size_t bytes) {
        check_contents(one, one.bytes);
        auto* const moved = static_cast<unsigned char*>(heap::reallocate(one.block, bytes));
        if (moved == nullptr) {
            must(bytes > kMostBytes);
            check_contents(one, one.bytes);
            return;
        }
        must(heap::usable_bytes(moved) >= bytes);
        one.block = moved;
        check_contents(one, std::min(one.bytes, bytes));  // what is left stands where it stood
        held_ = held_ - one.bytes + bytes;
        one.bytes = bytes;
        write(one);
    }
    static void look(std::uint8_t what) {
        if (what % 4 == 0) {
            static_cast<void>(heap::trim());
        }
        const heapwright::HeapStatistics now = heap::statistics();
        must(now.dirty_bytes == 0 || what % 4 != 0);
        must(now.allocated_bytes <= now.active_bytes && now.active_bytes <= now.committed_bytes);
        heapwright::heap::for_each_region([](heapwright::heap::Region& region) {
            const heapwright::os::LockGuard guard(region.lock());
            must(region.broken_invariant() == nullptr);
        });
        must(heapwright::heap::g_default_core.broken_invariant() == nullptr);
    }

    std::vector<Live> live_;
    std::size_t held_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    heapwright::os::report_failures_to_stderr();
    Player player;
    for (; size >= 4; data += 4, size -= 4) {
        player.step(data);
    }
    player.end();
    return 0;
}
