/* What libheapwright.so offers to C and C++ programs beside the malloc family. Link it (pkg-config heapwright-malloc), or look the
 * functions up with dlsym(RTLD_DEFAULT, ...), so that the program also runs with another malloc. */
#ifndef HEAPWRIGHT_MALLOC_H
#define HEAPWRIGHT_MALLOC_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Gives all free memory back to the operating system now, as malloc_trim(0) does; in heaps that mesh, spans and pages whose live blocks
 * lie at different places share memory first. No block moves. Also in libheapwright-secure.so.
 *
 * Returns: bytes given back, and bytes that spans do without from now on because they share memory. Any thread; who comes second waits.
 * Cost: some tenths of a second for 256 MiB of sparse spans; other threads allocate meanwhile. */
size_t heapwright_compact(void);

/* Evacuation: a program that knows all pointers to its blocks moves those that lie alone in large pieces of memory, so that these go
 * back to the operating system. Between begin and end, on one thread:
 *
 *   heapwright_begin_evacuation();
 *   for each block of the program, in as many steps as it likes:
 *       if (heapwright_should_move(block)) { copy = malloc(size); memcpy(copy, block, size); free(block); }
 *   heapwright_end_evacuation();
 *
 * Meanwhile malloc on this thread takes no block from the sparse spans. Only blocks of this thread and of threads that are gone are
 * told to move. See heapwright/alloc/heap/evacuation.hpp. */

struct heapwright_evacuation {
    size_t spans;       /* that empty when all their blocks move */
    size_t blocks;      /* in them */
    size_t bytes;       /* of those blocks */
    size_t recoverable; /* bytes of memory that the spans take now */
};

/* Chooses the spans that are to empty. All zero where nothing is worth moving. Cost: about 20 ns for each 64 KiB of the thread's blocks. */
struct heapwright_evacuation heapwright_begin_evacuation(void);
/* 1 where the block lies in such a span, else 0; any address may be asked about. Cost: a call and about 15 instructions. */
int heapwright_should_move(const void* block);
/* The same of many: answers[i] is 1 or 0. Returns how many should move. */
size_t heapwright_should_move_many(const void* const* blocks, size_t count, unsigned char* answers);
/* malloc takes blocks from all spans again. Without a beginning it does nothing. */
void heapwright_end_evacuation(void);

#ifdef __cplusplus
}
#endif

#endif
