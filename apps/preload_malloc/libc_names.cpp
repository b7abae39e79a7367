// The family under the names that glibc gives it inside. A program that asks __libc_malloc for a block may release it by
// free, so both must be ours.
#include <cstddef>

#include <heapwright/base/platform.hpp>

extern "C" {

void* malloc(std::size_t bytes);
void* calloc(std::size_t count, std::size_t bytes_each);
void* realloc(void* block, std::size_t bytes);
void free(void* block);
void* memalign(std::size_t alignment, std::size_t bytes);
void* valloc(std::size_t bytes);
void* pvalloc(std::size_t bytes);
int posix_memalign(void** result, std::size_t alignment, std::size_t bytes);

// NOLINTBEGIN(readability-identifier-naming): glibc chose the names.
HEAPWRIGHT_EXPORT void* __libc_malloc(std::size_t bytes) { return malloc(bytes); }
HEAPWRIGHT_EXPORT void* __libc_calloc(std::size_t count, std::size_t bytes_each) { return calloc(count, bytes_each); }
HEAPWRIGHT_EXPORT void* __libc_realloc(void* block, std::size_t bytes) { return realloc(block, bytes); }
HEAPWRIGHT_EXPORT void __libc_free(void* block) { free(block); }
HEAPWRIGHT_EXPORT void* __libc_memalign(std::size_t alignment, std::size_t bytes) { return memalign(alignment, bytes); }
HEAPWRIGHT_EXPORT void* __libc_valloc(std::size_t bytes) { return valloc(bytes); }
HEAPWRIGHT_EXPORT void* __libc_pvalloc(std::size_t bytes) { return pvalloc(bytes); }
HEAPWRIGHT_EXPORT int __posix_memalign(void** result, std::size_t alignment, std::size_t bytes) {
    return posix_memalign(result, alignment, bytes);
}
// NOLINTEND(readability-identifier-naming)

}  // extern "C"
