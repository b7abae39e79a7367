// Spans in lists: each span can be in one of its class, of abandoned spans or of free runs, and in one of a cache's spans.
#pragma once

#include <heapwright/alloc/heap/detail/span.hpp>

namespace heapwright::heap {

/// A doubly linked list through two members of its spans; whoever has the list keeps its head.
template <Span* Span::* Next, Span* Span::* Previous>
struct SpanChain {
    static void push(Span*& head, Span* span) noexcept {
        span->*Previous = nullptr;
        span->*Next = head;
        if (head != nullptr) {
            head->*Previous = span;
        }
        head = span;
    }

    /// Requires: the span is in the list. Its own links still say what they said.
    static void erase(Span*& head, Span* span) noexcept {
        Span* const before = span->*Previous;
        Span* const behind = span->*Next;
        (before != nullptr ? before->*Next : head) = behind;
        if (behind != nullptr) {
            behind->*Previous = before;
        }
    }
};

using ListChain = SpanChain<&Span::next, &Span::previous>;
using CacheChain = SpanChain<&Span::cache_next, &Span::cache_previous>;

}  // namespace heapwright::heap
