// Objects of any size under handles or under boxes, and what each of them should hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <vector>

#include <heapwright/own/handle/block.hpp>
#include <heapwright/own/handle/vector.hpp>

#include <bench/defrag/handles.hpp>

namespace bench {

using heapwright::Borrow;
using heapwright::MovableBlock;
using heapwright::MovableBuffer;
using heapwright::MovableHeap;

/// Run-time sizes under a handle: a MovableBuffer. Under a box: a MovableBlock.
struct ByHandle {
    MovableBuffer owner;
    bool make(MovableHeap& heap, std::size_t bytes) {
        owner.reset();
        return owner.resize(heap, bytes).has_value();
    }
    std::span<std::byte> in(const Borrow& borrow) const { return owner.in(borrow); }
    void end() { owner.reset(); }
    void rename(MovableHeap& heap) { heap.rename(owner); }
};
struct ByBox {
    MovableBlock owner;
    bool make(MovableHeap& heap, std::size_t bytes) { return owner.emplace(heap, bytes).has_value(); }
    std::span<std::byte> in(const Borrow& borrow) const { return owner.in(borrow); }
    void end() { owner.reset(); }
    void rename(MovableHeap&) {}
};

/// Owners in a fixed place, which is there before memory is measured, and what their objects should hold.
template <class Owner>
struct Population {
    explicit Population(std::size_t count) : owners(count), sizes(count, 0) {}

    void make(MovableHeap& heap, std::size_t index, std::size_t bytes) {
        if (!owners[index].make(heap, bytes)) {
            std::fprintf(stderr, "handles: refused %zu bytes\n", bytes);
            std::exit(1);
        }
        live += bytes - sizes[index];
        sizes[index] = static_cast<std::uint32_t>(bytes);
        const Borrow borrow(heap);
        stamp(owners[index].in(borrow), index);
    }
    void end(std::size_t index) {
        owners[index].end();
        live -= sizes[index];
        sizes[index] = 0;
    }
    void verify(MovableHeap& heap) const {
        for (std::size_t index = 0; index < owners.size(); ++index) {
            const Borrow borrow(heap);
            const auto bytes = owners[index].in(borrow);
            if (bytes.size() != sizes[index] || !is_stamped(bytes, index)) {
                std::fprintf(stderr, "handles: object %zu is damaged\n", index);
                std::exit(1);
            }
        }
    }
    void end_all() {
        for (Owner& owner : owners) {
            owner.end();
        }
    }
    void rename(MovableHeap& heap) {
        for (Owner& owner : owners) {
            owner.rename(heap);
        }
    }

    std::vector<Owner> owners;
    std::vector<std::uint32_t> sizes;
    std::size_t live = 0;
};

}  // namespace bench
