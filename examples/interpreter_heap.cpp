// How do I give an interpreter a heap whose values the host program never frees?
#include <cstdio>
#include <string_view>

#include <heapwright/own/gc/make.hpp>

namespace gc = heapwright::gc;

/// A value of a tiny Lisp: a number, an operator, or a pair.
struct Value {
    Value(char its_letter, gc::Ptr<Value> its_first, gc::Ptr<Value> its_rest) : letter(its_letter), first(its_first), rest(its_rest) {}
    void trace(gc::Tracer& tracer) const { tracer(first, rest); }
    char letter;  // 'p': a pair
    gc::Ptr<Value> first;
    gc::Ptr<Value> rest;
};

/// Reads "(+ 1 (* 2 3))". Values that are not stored anywhere yet are kept by the stack that the heap scans.
static gc::Ptr<Value> read(gc::Heap& heap, std::string_view& text) {
    text.remove_prefix(text.find_first_not_of(' '));
    const char letter = text.front();
    text.remove_prefix(1);
    if (letter == ')') {
        return {};
    }
    if (letter != '(') {
        return gc::make<Value>(heap, letter, nullptr, nullptr);
    }
    auto list = gc::make<Value>(heap, 'p', read(heap, text), nullptr);
    for (auto last = list; auto next = read(heap, text);) {
        last->rest = gc::make<Value>(heap, 'p', next, nullptr);
        last = last->rest;
    }
    return list;
}

static long evaluate(const Value* value) {
    if (value->letter != 'p') {
        return value->letter - '0';
    }
    const bool adds = value->first->letter == '+';
    long result = adds ? 0 : 1;
    for (const Value* at = value->rest.get(); at != nullptr; at = at->rest.get()) {
        result = adds ? result + evaluate(at->first.get()) : result * evaluate(at->first.get());
    }
    return result;
}

int main() {
    gc::Heap heap{{.nursery_bytes = 65536, .limit_bytes = 4 << 20}};
    long sum = 0;
    for (int round = 0; round < 20'000; ++round) {
        std::string_view text = "(+ 1 (* 2 3 (+ 4 5)) 6)";
        sum += evaluate(read(heap, text).get());
    }
    std::printf("%ld, after %llu collections in %zu KiB\n", sum, static_cast<unsigned long long>(heap.stats().minor_collections),
                heap.stats().peak_bytes / 1024);
    return sum == 20'000 * 61 && heap.stats().minor_collections > 0 ? 0 : 1;
}
