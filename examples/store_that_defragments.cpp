// How does a store that knows all its pointers give back memory after most of it was deleted, without pausing?
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <deque>
#include <string_view>
#include <utility>

#include <heapwright/heap.hpp>

namespace {

using heapwright::Evacuation;
using heapwright::Heap;

/// Texts by number. All pointers to them are in `texts_`, so they may be moved.
class TextStore {
public:
    explicit TextStore(Heap& heap) : heap_(heap) {}
    TextStore(const TextStore&) = delete;
    TextStore& operator=(const TextStore&) = delete;
    ~TextStore() {
        for (char* const text : texts_) {
            heap_.release(text);
        }
    }

    bool add(std::string_view text) {
        auto* const copy = static_cast<char*>(heap_.allocate(text.size() + 1));
        if (copy != nullptr) {
            std::memcpy(copy, text.data(), text.size());
            copy[text.size()] = '\0';
            texts_.push_back(copy);
        }
        return copy != nullptr;
    }
    void drop(std::size_t number) { heap_.release(std::exchange(texts_[number], nullptr)); }

    /// A part of the work: looks at so many texts from `first` on. A server does this when nobody waits.
    void tidy(std::size_t first, std::size_t count) {
        for (std::size_t number = first; number < std::min(texts_.size(), first + count); ++number) {
            char*& text = texts_[number];
            if (text != nullptr && Evacuation::should_move(text)) {
                auto* const copy = static_cast<char*>(heap_.allocate(std::strlen(text) + 1));
                if (copy == nullptr) {
                    return;  // it may stay
                }
                std::strcpy(copy, text);
                heap_.release(std::exchange(text, copy));
            }
        }
    }
    [[nodiscard]] std::size_t size() const { return texts_.size(); }

private:
    Heap& heap_;
    std::deque<char*> texts_;
};

}  // namespace

int main() {
    Heap heap;
    TextStore store(heap);
    for (int i = 0; i < 200'000; ++i) {
        if (!store.add("a text of some forty letters, more or less")) {
            return 1;
        }
    }
    for (std::size_t i = 0; i < store.size(); ++i) {
        if (i % 16 != 0) {
            store.drop(i);
        }
    }
    const std::size_t before = heap.span_bytes();
    {
        const Evacuation evacuation(heap);
        std::printf("%zu texts should move, then %zu KiB go back\n", evacuation.figures().blocks, evacuation.figures().recoverable >> 10);
        for (std::size_t first = 0; first < store.size(); first += 1'000) {
            store.tidy(first, 1'000);  // in between, the program does what it is there for
        }
    }
    std::printf("%zu KiB before, %zu KiB after\n", before >> 10, heap.span_bytes() >> 10);
    return heap.span_bytes() * 8 < before ? 0 : 1;
}
