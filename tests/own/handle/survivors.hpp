// What is left of many objects, every so many one.
#pragma once

#include <cstddef>
#include <vector>

#include <heapwright/own/handle/handle.hpp>
#include <heapwright/own/handle/heap.hpp>

namespace heapwright::test {

/// `count` objects, each made of its number, of which all but every `one_in`-th are ended again.
template <class T>
std::vector<Handle<T>> survivors(MovableHeap& heap, std::size_t count, std::size_t one_in) {
    std::vector<Handle<T>> objects;
    for (std::size_t i = 0; i < count; ++i) {
        objects.push_back(*make_handle<T>(heap, i));
    }
    for (std::size_t i = 0; i < count; ++i) {
        if (i % one_in != 0) {
            objects[i].reset();
        }
    }
    return objects;
}

}  // namespace heapwright::test
