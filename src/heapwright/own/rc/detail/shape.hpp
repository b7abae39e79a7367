// How the block of a counted object is laid out, and how one gets from the object to what stands before it.
//
//   plain     │                          counts │ object
//   traced    │      kind, trial, slot │ counts │ object           nodes of a cycle collector
//   array     │                 length │ counts │ element, element ...
//   prefix    │ SourcePrefix, before any of these                  made by make_..._in(source)
//                                               ▲ what handles point to
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <heapwright/base/bits.hpp>
#include <heapwright/base/block_source.hpp>
#include <heapwright/base/layout.hpp>
#include <heapwright/own/rc/detail/node.hpp>
#include <heapwright/own/rc/policy.hpp>
#include <heapwright/own/rc/traced.hpp>

namespace heapwright::detail {

/// Before a block that a source of the caller gave: where it goes back to, and with which layout.
class SourcePrefix {
public:
    SourcePrefix(SourceRef source, Layout layout) noexcept : source_(source), layout_(layout.size << 8 | log2_floor(layout.alignment)) {}

    void take_back(void* block) const noexcept {
        source_.deallocate(block, {.size = layout_ >> 8, .alignment = std::size_t{1} << (layout_ & 0xFF)});
    }

private:
    SourceRef source_;
    std::uint64_t layout_;  // no block has 2^56 bytes
};
static_assert(sizeof(SourcePrefix) == 24);

/// The block of a T, or of an array of T where Extra is the length.
template <class T, class Policy, class Extra = void>
struct Shape {
    using Counts = typename Policy::Counts;

    static constexpr std::size_t extra_bytes() noexcept {
        if constexpr (!std::is_void_v<Extra>) {
            return sizeof(Extra);
        } else {
            return Traced<T> ? sizeof(NodeHeader) : 0;
        }
    }
    static constexpr std::size_t alignment() noexcept {
        constexpr std::size_t kLeast = alignof(std::uint64_t);
        return alignof(T) > kLeast ? alignof(T) : kLeast;
    }
    /// From the block's start to the object.
    static constexpr std::size_t offset() noexcept { return align_up(extra_bytes() + sizeof(Counts), alignment()); }
    static constexpr std::size_t prefixed_offset() noexcept {
        return align_up(sizeof(SourcePrefix) + extra_bytes() + sizeof(Counts), alignment());
    }
    static constexpr Layout layout() noexcept { return {.size = offset() + sizeof(T), .alignment = alignment()}; }

    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE static std::byte* bytes(const void* object) noexcept {
        return static_cast<std::byte*>(const_cast<void*>(object));  // handles to const objects count as well
    }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE static Counts& counts(const volatile T* object) noexcept {
        return *reinterpret_cast<Counts*>(bytes(const_cast<const T*>(object)) - sizeof(Counts));
    }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE static NodeHeader& node(const volatile T* object) noexcept {
        return *reinterpret_cast<NodeHeader*>(bytes(const_cast<const T*>(object)) - sizeof(Counts) - sizeof(NodeHeader));
    }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE static std::size_t& length(const volatile T* first) noexcept {
        return *reinterpret_cast<std::size_t*>(bytes(const_cast<const T*>(first)) - sizeof(Counts) - sizeof(std::size_t));
    }
    [[nodiscard]] static SourcePrefix& prefix(const volatile T* object) noexcept {
        return *reinterpret_cast<SourcePrefix*>(bytes(const_cast<const T*>(object)) - sizeof(Counts) - extra_bytes() -
                                                sizeof(SourcePrefix));
    }
    [[nodiscard]] static std::byte* block(const volatile T* object, std::size_t from_start) noexcept {
        return bytes(const_cast<const T*>(object)) - from_start;
    }

    /// Gives the block of a dead object back to where it came from. `layout` is what a block without prefix has.
    HEAPWRIGHT_ALWAYS_INLINE static void free_block(const volatile T* object, Layout layout) noexcept {
        if (HEAPWRIGHT_LIKELY(!counts(object).has_prefix())) {
            Policy::Blocks::deallocate(block(object, offset()), layout);
        } else {
            free_prefixed_slow(object);
        }
    }

private:
    HEAPWRIGHT_NOINLINE static void free_prefixed_slow(const volatile T* object) noexcept {
        const SourcePrefix found = prefix(object);
        found.take_back(block(object, prefixed_offset()));
    }
};

}  // namespace heapwright::detail
