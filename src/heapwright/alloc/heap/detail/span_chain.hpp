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

    /// Behind the span that is so many steps behind it, or the last. Requires: the span is in the list.
    static void move_back(Span*& head, Span* span, unsigned steps) noexcept {
        Span* before = span;
        for (; steps != 0 && before->*Next != nullptr; --steps) {
            before = before->*Next;
        }
        if (before == span) {
            return;
        }
        erase(head, span);
        Span* const behind = before->*Next;
        before->*Next = span;
        span->*Previous = before;
        span->*Next = behind;
        if (behind != nullptr) {
            behind->*Previous = span;
        }
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
