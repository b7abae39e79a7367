// For programs that move their own blocks: which. See heapwright/malloc.h.
#include <heapwright/alloc/heap/evacuation.hpp>

#include <heapwright/base/platform.hpp>
#include <heapwright/malloc.h>

using heapwright::Evacuation;

extern "C" {

HEAPWRIGHT_EXPORT heapwright_evacuation heapwright_begin_evacuation() {
    const heapwright::EvacuationFigures figures = heapwright::default_heap::begin_evacuation();
    return {.spans = figures.spans, .blocks = figures.blocks, .bytes = figures.bytes, .recoverable = figures.recoverable};
}

HEAPWRIGHT_EXPORT int heapwright_should_move(const void* block) { return Evacuation::should_move(block) ? 1 : 0; }

HEAPWRIGHT_EXPORT std::size_t heapwright_should_move_many(const void* const* blocks, std::size_t count, unsigned char* answers) {
    std::size_t moving = 0;
    for (std::size_t i = 0; i < count; ++i) {
        answers[i] = Evacuation::should_move(blocks[i]) ? 1 : 0;
        moving += answers[i];
    }
    return moving;
}

HEAPWRIGHT_EXPORT void heapwright_end_evacuation() { heapwright::default_heap::end_evacuation(); }

}  // extern "C"
