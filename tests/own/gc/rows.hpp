// Numbered collected objects in chains and rows, as the tests of large objects and of promotion make them.
#pragma once

#include <cstdint>

#include <heapwright/own/gc/make.hpp>
#include <heapwright/own/gc/ptr.hpp>

namespace heapwright::test {

struct Node {
    std::uint64_t number = 0;
    gc::Ptr<Node> next;
    Node() = default;
    explicit Node(std::uint64_t its_number, gc::Ptr<Node> its_next = {}) : number(its_number), next(its_next) {}
    void trace(gc::Tracer& tracer) const { tracer(next); }
};

using Row = gc::Array<gc::Ptr<Node>>;

}  // namespace heapwright::test
