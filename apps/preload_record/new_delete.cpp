// operator new and delete: what malloc and free would do for them, noted as what they are.
//
// The C++ run time's operator new is malloc with a loop around it, so the usual case asks the allocator directly. When
// it refuses, the run time's own function is called, which runs the new_handler and throws. A program whose library
// brings a different operator new (a pool, say) gets that one, and only what it asks of malloc is seen.
#include <cstddef>
#include <new>

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

/// The next definition of a function, looked up when it is first needed: the run time may have been loaded since.
template <class Function, class... Arguments>
HEAPWRIGHT_COLD auto call_next(const char* name, Arguments... arguments) {
    return reinterpret_cast<Function*>(preload::next_function(name))(arguments...);
}

using PlainNew = void*(std::size_t);
using QuietNew = void*(std::size_t, const std::nothrow_t&);
using AlignedNew = void*(std::size_t, std::align_val_t);
using QuietAlignedNew = void*(std::size_t, std::align_val_t, const std::nothrow_t&);
using PlainDelete = void(void*);
using AlignedDelete = void(void*, std::align_val_t);

HEAPWRIGHT_ALWAYS_INLINE void* try_new(Call call, std::size_t size, const CallSite& site) {
    if (HEAPWRIGHT_UNLIKELY(!real.new_is_malloc)) {
        return nullptr;
    }
    void* block = real.malloc(size == 0 ? 1 : size);
    if (HEAPWRIGHT_LIKELY(block != nullptr)) {
        trace::record::note_allocation(call, block, size, site);
    }
    return block;
}

HEAPWRIGHT_ALWAYS_INLINE void* try_new_aligned(Call call, std::size_t size, std::align_val_t alignment, const CallSite& site) {
    if (HEAPWRIGHT_UNLIKELY(!real.new_is_malloc)) {
        return nullptr;
    }
    const auto align = static_cast<std::size_t>(alignment);
    const std::size_t whole = ((size == 0 ? 1 : size) + align - 1) & ~(align - 1);
    void* block = whole < size ? nullptr : real.aligned_alloc(align, whole);
    if (HEAPWRIGHT_LIKELY(block != nullptr)) {
        const auto log2 = static_cast<std::uint8_t>(63 - __builtin_clzl(align));
        trace::record::note_rare_allocation({.call = call, .alignment_log2 = log2, .size = size}, block, site);
    }
    return block;
}

HEAPWRIGHT_ALWAYS_INLINE void give_back(Call call, void* block, std::size_t claimed, const char* next) {
    if (HEAPWRIGHT_UNLIKELY(block == nullptr)) {
        return;
    }
    if (HEAPWRIGHT_UNLIKELY(!real.new_is_malloc)) {
        call_next<PlainDelete>(next, block);
        return;
    }
    if (HEAPWRIGHT_LIKELY(trace::record::note_release(call, block, claimed))) {
        real.free(block);
    }
}

void give_back_aligned(Call call, void* block, std::size_t claimed, std::align_val_t alignment, const char* next) {
    if (HEAPWRIGHT_UNLIKELY(block != nullptr && !real.new_is_malloc)) {
        call_next<AlignedDelete>(next, block, alignment);
        return;
    }
    give_back(call, block, claimed, next);
}

constexpr const char* kDelete = "_ZdlPv";
constexpr const char* kDeleteArray = "_ZdaPv";
constexpr const char* kDeleteAligned = "_ZdlPvSt11align_val_t";
constexpr const char* kDeleteArrayAligned = "_ZdaPvSt11align_val_t";

}  // namespace

HEAPWRIGHT_EXPORT void* operator new(std::size_t size) {
    void* block = try_new(Call::new_object, size, call_site_here());
    return HEAPWRIGHT_LIKELY(block != nullptr) ? block : call_next<PlainNew>("_Znwm", size);
}
HEAPWRIGHT_EXPORT void* operator new[](std::size_t size) {
    void* block = try_new(Call::new_array, size, call_site_here());
    return HEAPWRIGHT_LIKELY(block != nullptr) ? block : call_next<PlainNew>("_Znam", size);
}
HEAPWRIGHT_EXPORT void* operator new(std::size_t size, const std::nothrow_t& quiet) noexcept {
    void* block = try_new(Call::new_object, size, call_site_here());
    return HEAPWRIGHT_LIKELY(block != nullptr)
               ? block
               : call_next<QuietNew, std::size_t, const std::nothrow_t&>("_ZnwmRKSt9nothrow_t", size, quiet);
}
HEAPWRIGHT_EXPORT void* operator new[](std::size_t size, const std::nothrow_t& quiet) noexcept {
    void* block = try_new(Call::new_array, size, call_site_here());
    return HEAPWRIGHT_LIKELY(block != nullptr)
               ? block
               : call_next<QuietNew, std::size_t, const std::nothrow_t&>("_ZnamRKSt9nothrow_t", size, quiet);
}
HEAPWRIGHT_EXPORT void* operator new(std::size_t size, std::align_val_t alignment) {
    void* block = try_new_aligned(Call::new_object, size, alignment, call_site_here());
    return HEAPWRIGHT_LIKELY(block != nullptr) ? block : call_next<AlignedNew>("_ZnwmSt11align_val_t", size, alignment);
}
HEAPWRIGHT_EXPORT void* operator new[](std::size_t size, std::align_val_t alignment) {
    void* block = try_new_aligned(Call::new_array, size, alignment, call_site_here());
    return HEAPWRIGHT_LIKELY(block != nullptr) ? block : call_next<AlignedNew>("_ZnamSt11align_val_t", size, alignment);
}
HEAPWRIGHT_EXPORT void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t& quiet) noexcept {
    void* block = try_new_aligned(Call::new_object, size, alignment, call_site_here());
    return HEAPWRIGHT_LIKELY(block != nullptr) ? block
                                               : call_next<QuietAlignedNew, std::size_t, std::align_val_t, const std::nothrow_t&>(
                                                     "_ZnwmSt11align_val_tRKSt9nothrow_t", size, alignment, quiet);
}
HEAPWRIGHT_EXPORT void* operator new[](std::size_t size, std::align_val_t alignment, const std::nothrow_t& quiet) noexcept {
    void* block = try_new_aligned(Call::new_array, size, alignment, call_site_here());
    return HEAPWRIGHT_LIKELY(block != nullptr) ? block
                                               : call_next<QuietAlignedNew, std::size_t, std::align_val_t, const std::nothrow_t&>(
                                                     "_ZnamSt11align_val_tRKSt9nothrow_t", size, alignment, quiet);
}

HEAPWRIGHT_EXPORT void operator delete(void* block) noexcept { give_back(Call::delete_object, block, 0, kDelete); }
HEAPWRIGHT_EXPORT void operator delete[](void* block) noexcept { give_back(Call::delete_array, block, 0, kDeleteArray); }
HEAPWRIGHT_EXPORT void operator delete(void* block, std::size_t size) noexcept { give_back(Call::delete_object, block, size, kDelete); }
HEAPWRIGHT_EXPORT void operator delete[](void* block, std::size_t size) noexcept {
    give_back(Call::delete_array, block, size, kDeleteArray);
}
HEAPWRIGHT_EXPORT void operator delete(void* block, const std::nothrow_t&) noexcept { give_back(Call::delete_object, block, 0, kDelete); }
HEAPWRIGHT_EXPORT void operator delete[](void* block, const std::nothrow_t&) noexcept {
    give_back(Call::delete_array, block, 0, kDeleteArray);
}
HEAPWRIGHT_EXPORT void operator delete(void* block, std::align_val_t alignment) noexcept {
    give_back_aligned(Call::delete_object, block, 0, alignment, kDeleteAligned);
}
HEAPWRIGHT_EXPORT void operator delete[](void* block, std::align_val_t alignment) noexcept {
    give_back_aligned(Call::delete_array, block, 0, alignment, kDeleteArrayAligned);
}
HEAPWRIGHT_EXPORT void operator delete(void* block, std::size_t size, std::align_val_t alignment) noexcept {
    give_back_aligned(Call::delete_object, block, size, alignment, kDeleteAligned);
}
HEAPWRIGHT_EXPORT void operator delete[](void* block, std::size_t size, std::align_val_t alignment) noexcept {
    give_back_aligned(Call::delete_array, block, size, alignment, kDeleteArrayAligned);
}
HEAPWRIGHT_EXPORT void operator delete(void* block, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    give_back_aligned(Call::delete_object, block, 0, alignment, kDeleteAligned);
}
HEAPWRIGHT_EXPORT void operator delete[](void* block, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    give_back_aligned(Call::delete_array, block, 0, alignment, kDeleteArrayAligned);
}
