// malloc and its relatives: called, then noted; released after being noted.
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "real.hpp"

#include <heapwright/base/platform.hpp>
#include <heapwright/trace/record/hot_path.hpp>
#include <heapwright/trace/stack/call_site.hpp>

namespace {

using namespace heapwright;
using preload::real;
using trace::Call;
using trace::record::CallSite;
using trace::stack::call_site_here;

std::uint8_t log2_of(std::size_t alignment) noexcept {
    return alignment == 0 ? std::uint8_t{0} : static_cast<std::uint8_t>(63 - __builtin_clzl(alignment));
}

void note_aligned(void* block, std::size_t alignment, std::size_t size, const CallSite& site) noexcept {
    trace::record::note_rare_allocation({.call = Call::aligned, .alignment_log2 = log2_of(alignment), .size = size}, block, site);
}

constexpr std::size_t kPage = 4096;

void release(void* block, std::size_t claimed) noexcept {
    if (HEAPWRIGHT_UNLIKELY(block == nullptr)) {
        return;
    }
    if (HEAPWRIGHT_LIKELY(trace::record::note_release(Call::free, block, claimed))) {
        real.free(block);
    }
}

HEAPWRIGHT_COLD void* realloc_boot_memory(void* block, std::size_t size) noexcept {
    void* fresh = real.malloc(size);
    if (fresh != nullptr) {
        const std::size_t old = preload::boot_memory_size(block);
        std::memcpy(fresh, block, old < size ? old : size);
    }
    return fresh;
}

void* resize(void* block, std::size_t size, const CallSite& site) noexcept {
    using trace::record::Departure;
    if (HEAPWRIGHT_UNLIKELY(preload::is_boot_memory(block))) {
        return realloc_boot_memory(block, size);
    }
    const Departure departure = block == nullptr ? Departure::unknown : trace::record::note_resize_from(block);
    void* fresh = real.realloc(block, size);
    trace::record::note_resize_to(departure, block, fresh, size, site);
    return fresh;
}

}  // namespace

extern "C" {

HEAPWRIGHT_EXPORT void* malloc(std::size_t size) {
    void* block = real.malloc(size);
    trace::record::note_allocation(Call::malloc, block, size, call_site_here());
    return block;
}

HEAPWRIGHT_EXPORT void* calloc(std::size_t count, std::size_t size) {
    void* block = real.calloc(count, size);
    std::size_t bytes = 0;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        bytes = ~std::size_t{0};
    }
    trace::record::note_allocation(Call::calloc, block, bytes, call_site_here());
    return block;
}

HEAPWRIGHT_EXPORT void* realloc(void* block, std::size_t size) { return resize(block, size, call_site_here()); }

HEAPWRIGHT_EXPORT void* reallocarray(void* block, std::size_t count, std::size_t size) {
    std::size_t bytes = 0;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return nullptr;
    }
    return resize(block, bytes, call_site_here());
}

HEAPWRIGHT_EXPORT void free(void* block) { release(block, 0); }
HEAPWRIGHT_EXPORT void cfree(void* block) { release(block, 0); }
HEAPWRIGHT_EXPORT void free_sized(void* block, std::size_t size) { release(block, size); }
HEAPWRIGHT_EXPORT void free_aligned_sized(void* block, std::size_t, std::size_t size) { release(block, size); }

HEAPWRIGHT_EXPORT int posix_memalign(void** block, std::size_t alignment, std::size_t size) {
    const int failure = real.posix_memalign(block, alignment, size);
    note_aligned(failure == 0 ? *block : nullptr, alignment, size, call_site_here());
    return failure;
}

HEAPWRIGHT_EXPORT void* aligned_alloc(std::size_t alignment, std::size_t size) {
    void* block = real.aligned_alloc(alignment, size);
    note_aligned(block, alignment, size, call_site_here());
    return block;
}

HEAPWRIGHT_EXPORT void* memalign(std::size_t alignment, std::size_t size) {
    void* block = real.memalign(alignment, size);
    note_aligned(block, alignment, size, call_site_here());
    return block;
}

HEAPWRIGHT_EXPORT void* valloc(std::size_t size) {
    void* block = real.valloc(size);
    note_aligned(block, kPage, size, call_site_here());
    return block;
}

HEAPWRIGHT_EXPORT void* pvalloc(std::size_t size) {
    void* block = real.pvalloc(size);
    note_aligned(block, kPage, (size + kPage - 1) & ~(kPage - 1), call_site_here());
    return block;
}

HEAPWRIGHT_EXPORT std::size_t malloc_usable_size(void* block) {
    if (HEAPWRIGHT_UNLIKELY(preload::is_boot_memory(block))) {
        return preload::boot_memory_size(block);
    }
    return real.usable_size(block);
}

}  // extern "C"
