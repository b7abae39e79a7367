// Fragments its heap from several functions, then says of each what the kernel's page map says it alone keeps resident.
//
// Usage: pinning_victim SEED; writes one line "FUNCTION PINNED_BYTES FREE_BYTES" for each function to standard output.
// Everything but the blocks themselves lives in mapped memory, so that the blocks of the heap are all known here.
#define _GNU_SOURCE
#include <fcntl.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BLOCKS = 120000, LARGE = 24, SITES = 6, PAGE = 4096 };

struct block {
    char* address;
    size_t size;
    int site;
};

static const char* const names[SITES] = {"keep_small", "keep_medium", "keep_buffers", "keep_wide", "keep_mixed", "keep_large"};
static struct block* blocks;
static size_t count;
static uint64_t state;

static uint64_t next_random(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}
static size_t below(size_t bound) { return (size_t)(next_random() % bound); }

static void note(char* address, size_t size, int site, size_t touched) {
    memset(address, 1, touched);
    blocks[count++] = (struct block){address, size, site};
}

#define KEEPER(name, site, bytes, touched)              \
    __attribute__((noinline)) void name(void) {         \
        size_t size = (bytes);                          \
        note((char*)malloc(size), size, site, touched); \
    }
KEEPER(keep_small, 0, 24 + below(40), size)
KEEPER(keep_medium, 1, 300 + below(900), size)
KEEPER(keep_buffers, 2, 5000 + below(12000), size)
KEEPER(keep_wide, 3, 60000 + below(40000), size)
KEEPER(keep_mixed, 4, 16 + below(3000), size)
KEEPER(keep_large, 5, 1000000 + below(3000000), size / 3)  // two thirds of its pages are never touched

// Between two OS pages that nobody may touch: the kernel would merge it into the mapping of a large block beside it.
static void* mapped(size_t bytes) {
    const size_t inner = (bytes + PAGE - 1) / PAGE * PAGE;
    char* memory = (char*)mmap(0, inner + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory + PAGE, inner, PROT_READ | PROT_WRITE) != 0) {
        _exit(3);
    }
    return memory + PAGE;
}

static void fragment(void) {
    // Phases, so that functions have pages of their own as well as shared ones.
    static void (*const keepers[])(void) = {keep_small, keep_medium, keep_buffers, keep_mixed};
    while (count < BLOCKS) {
        void (*const keeper)(void) = keepers[below(4)];
        size_t run = 1 + below(below(8) == 0 ? 2000 : 20);
        for (size_t i = 0; i < run && count < BLOCKS; ++i) {
            keeper();
        }
        if (below(400) == 0) {
            keep_wide();
        }
    }
    for (size_t i = 0; i < LARGE; ++i) {
        keep_large();
    }
    for (size_t i = 0; i < count; ++i) {
        // Small blocks mostly go, but each survivor keeps its page.
        if (blocks[i].site != 3 && below(100) < (blocks[i].site == 5 ? 50 : 93)) {
            free(blocks[i].address);
            blocks[i].address = 0;
        }
    }
}

static int pagemap;
static int is_resident(uintptr_t page) {
    uint64_t entry = 0;
    return pread(pagemap, &entry, sizeof entry, (off_t)(page * 8)) == sizeof entry && (entry >> 62) != 0;
}

static void put_number(char** out, uint64_t number) {
    char digits[24];
    int length = 0;
    do {
        digits[length++] = (char)('0' + number % 10);
    } while ((number /= 10) != 0);
    while (length > 0) {
        *(*out)++ = digits[--length];
    }
}

int main(int argc, char** argv) {
    state = argc > 1 ? (uint64_t)strtoull(argv[1], 0, 10) * 2654435761u + 1 : 1;
    mallopt(M_MMAP_THRESHOLD, 512 * 1024);
    blocks = (struct block*)mapped(sizeof(struct block) * (BLOCKS + BLOCKS / 50 + LARGE));
    fragment();

    uintptr_t low = UINTPTR_MAX;
    uintptr_t high = 0;
    for (size_t i = 0; i < count; ++i) {
        if (blocks[i].address != 0 && blocks[i].site != 5) {
            uintptr_t begin = (uintptr_t)blocks[i].address;
            low = begin < low ? begin : low;
            high = begin + blocks[i].size > high ? begin + blocks[i].size + 64 : high;
        }
    }
    const uintptr_t first = low / PAGE;
    const size_t pages = high / PAGE - first + 1;
    unsigned char* owner = (unsigned char*)mapped(pages);           // site + 1, or 255 for several
    uint16_t* live = (uint16_t*)mapped(pages * sizeof(uint16_t));   // bytes
    uint64_t pinned[SITES] = {0};
    uint64_t free_part[SITES] = {0};
    pagemap = open("/proc/self/pagemap", O_RDONLY);
    if (pagemap < 0) {
        return 77;
    }
    for (size_t i = 0; i < count; ++i) {
        if (blocks[i].address == 0) {
            continue;
        }
        const uintptr_t begin = (uintptr_t)blocks[i].address;
        const uintptr_t end = begin + malloc_usable_size(blocks[i].address);
        for (uintptr_t page = begin / PAGE; page <= (end - 1) / PAGE; ++page) {
            const uintptr_t from = page * PAGE > begin ? page * PAGE : begin;
            const uintptr_t to = (page + 1) * PAGE < end ? (page + 1) * PAGE : end;
            if (blocks[i].site == 5) {
                pinned[5] += is_resident(page) ? PAGE : 0;
                free_part[5] += is_resident(page) ? PAGE - (to - from) : 0;
                continue;
            }
            unsigned char* const mine = &owner[page - first];
            *mine = *mine == 0 || *mine == blocks[i].site + 1 ? (unsigned char)(blocks[i].site + 1) : 255;
            live[page - first] = (uint16_t)(live[page - first] + (to - from));
        }
    }
    for (size_t page = 0; page < pages; ++page) {
        if (owner[page] != 0 && owner[page] != 255 && is_resident(first + page)) {
            pinned[owner[page] - 1] += PAGE;
            free_part[owner[page] - 1] += (uint64_t)PAGE - live[page];
        }
    }
    char text[1024];
    char* out = text;
    for (int site = 0; site < SITES; ++site) {
        out = stpcpy(out, names[site]);
        *out++ = ' ';
        put_number(&out, pinned[site]);
        *out++ = ' ';
        put_number(&out, free_part[site]);
        *out++ = '\n';
    }
    return write(1, text, (size_t)(out - text)) == out - text ? 0 : 3;
}
