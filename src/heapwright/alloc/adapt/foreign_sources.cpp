// Calls into other allocators.
#include <heapwright/alloc/adapt/foreign_sources.hpp>

#include <cstdlib>

#include <dlfcn.h>

#include <heapwright/base/bits.hpp>
#include <heapwright/base/platform.hpp>

namespace heapwright {
namespace {

/// What every malloc of a 64-bit system gives without being asked, to blocks of at least that size.
constexpr std::size_t kUsualAlignment = alignof(std::max_align_t);

template <class Function>
Function find(void* library, const char* name) noexcept {
    return reinterpret_cast<Function>(::dlsym(library, name));
}

}  // namespace

void* MallocSource::try_allocate(Layout layout) const noexcept {
    const std::size_t size = layout.size == 0 ? 1 : layout.size;
    std::size_t rounded = 0;
    // A block of 8 bytes may lie at any multiple of 8: nothing that fits needs more.
    if (layout.alignment <= kUsualAlignment && (layout.alignment <= size || layout.alignment <= sizeof(void*))) {
        return std::malloc(size);
    }
    return align_up_overflows(size, layout.alignment, &rounded) ? nullptr : std::aligned_alloc(layout.alignment, rounded);
}

void MallocSource::deallocate(void* block, Layout /*layout*/) const noexcept { std::free(block); }

Result<ForeignSource> ForeignSource::mimalloc() noexcept {
    void* const library = ::dlopen("libmimalloc.so.2", RTLD_NOW | RTLD_LOCAL);
    const auto allocate = library == nullptr ? nullptr : find<Allocate>(library, "mi_malloc_aligned");
    const auto free = library == nullptr ? nullptr : find<Free>(library, "mi_free");
    if (allocate == nullptr || free == nullptr) {
        return fail_with(Errc::not_found);
    }
    return ForeignSource{allocate, free, false};
}

Result<ForeignSource> ForeignSource::jemalloc() noexcept {
    // Its symbols are those of libc; bound deeply, its own calls find themselves and not the program's malloc.
    // The sanitizers refuse that.
    constexpr int kDeep = HEAPWRIGHT_UNDER_ASAN || HEAPWRIGHT_UNDER_TSAN ? 0 : RTLD_DEEPBIND;
    void* const library = ::dlopen("libjemalloc.so.2", RTLD_NOW | RTLD_LOCAL | kDeep);
    const auto allocate = library == nullptr ? nullptr : find<Allocate>(library, "aligned_alloc");
    const auto free = library == nullptr ? nullptr : find<Free>(library, "free");
    if (allocate == nullptr || free == nullptr) {
        return fail_with(Errc::not_found);
    }
    return ForeignSource{allocate, free, true};
}

void* ForeignSource::try_allocate(Layout layout) const noexcept {
    const std::size_t alignment = layout.alignment < sizeof(void*) ? sizeof(void*) : layout.alignment;
    const std::size_t size = layout.size == 0 ? 1 : layout.size;
    std::size_t rounded = 0;
    if (align_up_overflows(size, alignment, &rounded) || rounded > Layout::kLargestSize) {
        return nullptr;
    }
    if (takes_alignment_first_) {
        return allocate_(alignment, rounded);  // aligned_alloc wants a multiple
    }
    // mimalloc before 2.1 takes it that a size which is a power of two is aligned to itself, which is not always so.
    void* block = allocate_(size, alignment);
    if (block != nullptr && !is_aligned(block, alignment)) {
        free_(block);
        block = allocate_(size + 1, alignment);
    }
    return block;
}

}  // namespace heapwright
