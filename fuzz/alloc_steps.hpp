// What the fuzz targets of the allocators share: a source that refuses, steps made of bytes, and a ledger of live blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <heapwright/base/bits.hpp>
#include <heapwright/base/layout.hpp>
#include <heapwright/os/report.hpp>

namespace heapwright::fuzz {

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

inline void must(bool holds) {
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

inline void check_contents(const Live& live) {
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
                must(is_aligned(block, layout.alignment));
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

/// One input: its first byte chooses, the rest are steps; in the end the source must have everything back.
template <class Play>
int play_input(const std::uint8_t* data, std::size_t size, Play play_steps) {
    if (size == 0) {
        return 0;
    }
    os::report_failures_to_stderr();
    Source source;
    play_steps(data[0], source, Steps{data + 1, size - 1});
    must(source.given == 0);
    return 0;
}

}  // namespace heapwright::fuzz
