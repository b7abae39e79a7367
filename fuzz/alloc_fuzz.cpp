// Feeds a sequence of requests, made of the input's bytes, to an allocator and to a ledger of what must be true.
//
// The first byte chooses the allocator; what follows are steps of three bytes: what to do, and two operands.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <heapwright/alloc/arena/arena.hpp>
#include <heapwright/alloc/arena/typed_arena.hpp>
#include <heapwright/alloc/pool/multi_pool.hpp>
#include <heapwright/alloc/pool/pool.hpp>
#include <heapwright/alloc/pool/shared_pool.hpp>
#include <heapwright/alloc/slab/slab.hpp>
#include <heapwright/alloc/tlsf/tlsf.hpp>
#include <heapwright/os/report.hpp>

namespace {

using heapwright::Layout;

/// Host memory that says no when the input wants it to.
struct Source {
    bool refuses = false;
    std::size_t given = 0;
    void* try_allocate(Layout layout) noexcept {
        void* block = nullptr;
        const std::size_t alignment = layout.alignment < sizeof(void*) ? sizeof(void*) : layout.alignment;
        if (refuses || layout.size > (std::size_t{1} << 28) || ::posix_memalign(&block, alignment, layout.size) != 0) {
            return nullptr;
        }
        ++given;
        return block;
    }
    void deallocate(void* block, Layout /*layout*/) noexcept {
        --given;
        std::free(block);
    }
};

void must(bool holds) {
    if (!holds) {
        __builtin_trap();
    }
}

struct Live {
    unsigned char* block;
    Layout layout;
    unsigned char mark;
};

class Steps {
public:
    Steps(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
    [[nodiscard]] bool next() {
        if (size_ < 3) {
            return false;
        }
        act = data_[0];
        first = data_[1];
        second = data_[2];
        data_ += 3;
        size_ -= 3;
        return true;
    }
    std::uint8_t act = 0;
    std::uint8_t first = 0;
    std::uint8_t second = 0;

private:
    const std::uint8_t* data_;
    std::size_t size_;
};

void check_contents(const Live& live) {
    for (std::size_t at = 0; at < live.layout.size; ++at) {
        must(live.block[at] == live.mark);
    }
}

/// Any BlockSource: blocks are taken, checked and given back in the input's order.
template <class Allocator>
void play(Allocator& allocator, Source& source, Steps steps) {
    std::vector<Live> live;
    while (steps.next()) {
        source.refuses = (steps.act & 0x40) != 0;
        if (steps.act % 3 != 0) {
            const Layout layout{.size = std::size_t{steps.first} << (steps.second % 6), .alignment = std::size_t{1} << (steps.second / 16)};
            auto* const block = static_cast<unsigned char*>(allocator.try_allocate(layout));
            if (block != nullptr) {
                must(heapwright::is_aligned(block, layout.alignment));
                std::memset(block, steps.act, layout.size);
                live.push_back({block, layout, steps.act});
            }
        } else if (!live.empty()) {
            const std::size_t victim = (std::size_t{steps.first} * 256 + steps.second) % live.size();
            check_contents(live[victim]);
            allocator.deallocate(live[victim].block, live[victim].layout);
            live[victim] = live.back();
            live.pop_back();
        }
        must(allocator.broken_invariant() == nullptr);
    }
    for (const Live& one : live) {
        check_contents(one);
        allocator.deallocate(one.block, one.layout);
    }
    must(allocator.broken_invariant() == nullptr);
}

/// An arena's own steps: marks, rewinds, growth in place, reset, trim.
void play_arena(Source& source, Steps steps) {
    heapwright::Arena arena{source, {.first_chunk_bytes = 256, .largest_chunk_bytes = 4096}};
    struct Moment {
        heapwright::Arena::Mark mark;
        std::size_t live;
    };
    std::vector<Live> live;
    std::vector<Moment> marks;
    while (steps.next()) {
        const Layout layout{.size = steps.first, .alignment = std::size_t{1} << (steps.second % 8)};
        source.refuses = (steps.act & 0x40) != 0;
        switch (steps.act % 8) {
            case 0: marks.push_back({arena.mark(), live.size()}); break;
            case 1:
                if (!marks.empty()) {
                    marks.resize(1 + steps.first % marks.size());
                    arena.rewind(marks.back().mark);
                    live.resize(marks.back().live);
                }
                break;
            case 2:
                if (steps.first < 8) {
                    arena.reset();
                    live.clear();
                    marks.clear();
                }
                break;
            case 3:
                if (!live.empty() && marks.empty()) {
                    Live& last = live.back();
                    check_contents(last);
                    auto* const moved =
                        static_cast<unsigned char*>(arena.try_reallocate(last.block, last.layout, last.layout.size + steps.first));
                    if (moved != nullptr) {
                        last.block = moved;
                        last.layout.size += steps.first;
                        std::memset(moved, last.mark, last.layout.size);
                    }
                }
                break;
            case 4: static_cast<void>(arena.trim(steps.first % 101)); break;
            default:
                if (auto* const block =
                        static_cast<unsigned char*>(steps.act % 2 == 0 ? arena.try_allocate_fixed<24, 8>() : arena.try_allocate(layout))) {
                    const Layout given = steps.act % 2 == 0 ? Layout{.size = 24, .alignment = 8} : layout;
                    must(heapwright::is_aligned(block, given.alignment));
                    std::memset(block, steps.act, given.size);
                    live.push_back({block, given, steps.act});
                }
        }
        for (const Live& one : live) {
            check_contents(one);
        }
        must(arena.broken_invariant() == nullptr);
    }
}

/// A slab: objects under keys, dead keys asked for, keys made up of the input's bytes.
template <class Key>
void play_slab(Source& source, Steps steps) {
    heapwright::Slab<std::uint32_t, Key, 512> slab{source, {.limit_objects = 300}};
    struct Entry {
        Key key;
        std::uint32_t value;
    };
    std::vector<Entry> live;
    std::vector<Key> dead;
    while (steps.next()) {
        source.refuses = (steps.act & 0x40) != 0;
        const std::uint32_t value = std::uint32_t{steps.first} * 256 + steps.second;
        switch (steps.act % 8) {
            case 0: static_cast<void>(slab.trim()); break;
            case 1:
            case 2:
                if (!live.empty()) {
                    Entry& victim = live[value % live.size()];
                    must(slab[victim.key] == victim.value && slab.erase(victim.key) && !slab.erase(victim.key));
                    dead.push_back(victim.key);
                    victim = live.back();
                    live.pop_back();
                }
                break;
            case 3: must(!dead.empty() ? slab.find(dead[value % dead.size()]) == nullptr : slab.find(Key{}) == nullptr); break;
            case 4: static_cast<void>(slab.find(Key::from_parts(value, steps.first))); break;
            default:
                if (const Key key = slab.try_insert(value)) {
                    live.push_back({key, value});
                }
        }
        must(slab.broken_invariant() == nullptr && slab.size() == live.size());
    }
}

/// A heap in two regions that come and go, with blocks that change their size.
void play_tlsf(Steps steps) {
    alignas(16) static std::array<std::array<std::byte, 3000>, 2> regions;
    heapwright::SmallTlsf heap;
    std::vector<Live> live;
    while (steps.next()) {
        const Layout layout{.size = std::size_t{steps.first} << (steps.second % 4), .alignment = std::size_t{1} << (steps.second / 16 % 8)};
        const std::size_t chosen = live.empty() ? 0 : steps.first % live.size();
        switch (steps.act % 8) {
            case 0: static_cast<void>(heap.add_region({regions[steps.first % 2].data() + steps.second % 8, 2900})); break;
            case 1: static_cast<void>(heap.remove_region(regions[steps.first % 2].data() + 1500)); break;
            case 2:
            case 3:
                if (!live.empty()) {
                    check_contents(live[chosen]);
                    heap.deallocate(live[chosen].block, live[chosen].layout);
                    live[chosen] = live.back();
                    live.pop_back();
                }
                break;
            case 4:
                if (!live.empty()) {
                    Live& one = live[chosen];
                    check_contents(one);
                    const std::size_t size = std::size_t{steps.second} * 4;
                    if (auto* const moved = static_cast<unsigned char*>(heap.try_reallocate(one.block, one.layout, size))) {
                        one = {
                            moved, {.size = size < one.layout.size ? size : one.layout.size, .alignment = one.layout.alignment}, one.mark};
                        check_contents(one);
                        one.layout.size = size;
                        std::memset(moved, one.mark, size);
                    }
                }
                break;
            default:
                if (auto* const block = static_cast<unsigned char*>(heap.try_allocate(layout))) {
                    must(heapwright::is_aligned(block, layout.alignment));
                    std::memset(block, steps.act, layout.size);
                    live.push_back({block, layout, steps.act});
                }
        }
        must(heap.broken_invariant() == nullptr && heap.stats().live_blocks == live.size());
    }
    for (const Live& one : live) {
        check_contents(one);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    heapwright::os::report_failures_to_stderr();
    Source source;
    const Steps steps{data + 1, size - 1};
    const heapwright::PoolOptions small{.slab_bytes = 4096, .limit_blocks = 300, .spare_bytes = 4096};
    static constexpr std::array<heapwright::SizeClassOptions, 4> kClasses{{{16}, {64}, {256}, {2048, 20}}};
    switch (data[0] % 8) {
        case 5: play_tlsf(steps); break;
        case 6: {
            heapwright::Tlsf heap{source, {.region_bytes = 4096}};
            play(heap, source, steps);
            break;
        }
        case 0: play_arena(source, steps); break;
        case 3: play_slab<heapwright::BasicSlabKey<std::uint8_t>>(source, steps); break;
        case 4: play_slab<heapwright::WideSlabKey>(source, steps); break;
        case 1: {
            heapwright::Pool pool{{.size = 1 + std::size_t{data[0]}, .alignment = 1}, source, small};
            play(pool, source, steps);
            break;
        }
        case 2: {
            heapwright::SharedPool pool{{.size = 1 + std::size_t{data[0]}, .alignment = 1}, source, small};
            play(pool, source, steps);
            break;
        }
        default: {
            heapwright::MultiPool pool{kClasses, source, {.borrow_classes = 2, .spare_bytes = 4096}};
            play(pool, source, steps);
        }
    }
    must(source.given == 0);
    return 0;
}
