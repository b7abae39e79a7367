// Other allocators of the system as sources of the library: libc's malloc, mimalloc, jemalloc.
#pragma once

#include <cstddef>
#include <cstdint>

#include <heapwright/base/block_source.hpp>
#include <heapwright/base/error.hpp>
#include <heapwright/base/layout.hpp>

namespace heapwright {

/// malloc and free of whatever the program is linked or preloaded with.
///
/// Thread safety: any thread.
class MallocSource {
public:
    [[nodiscard]] void* try_allocate(Layout layout) const noexcept;
    void deallocate(void* block, Layout layout) const noexcept;
};
inline constexpr MallocSource kMalloc{};

/// An allocator from a shared library that is loaded when it is asked for; the program is not linked with it and its own
/// malloc stays what it is. A loaded library stays until the program ends, as its blocks may.
///
/// Thread safety: any thread.
class ForeignSource {
public:
    /// Fails:    not_found when the system has no such library, or one without the functions.
    [[nodiscard]] static Result<ForeignSource> mimalloc() noexcept;
    /// Loading it late takes room that the dynamic linker keeps for few: in a program that is neither linked nor preloaded
    /// with jemalloc, start it with GLIBC_TUNABLES=glibc.rtld.optional_static_tls=16384.
    ///
    /// Fails:    not_found also when that room is missing.
    [[nodiscard]] static Result<ForeignSource> jemalloc() noexcept;

    [[nodiscard]] void* try_allocate(Layout layout) const noexcept;
    void deallocate(void* block, Layout /*layout*/) const noexcept { free_(block); }

private:
    using Allocate = void* (*)(std::size_t, std::size_t);
    using Free = void (*)(void*);
    ForeignSource(Allocate allocate, Free free, bool takes_alignment_first) noexcept
        : allocate_(allocate), free_(free), takes_alignment_first_(takes_alignment_first) {}

    Allocate allocate_;
    Free free_;
    bool takes_alignment_first_;
};

static_assert(BlockSource<const MallocSource> && BlockSource<ForeignSource>);

}  // namespace heapwright
