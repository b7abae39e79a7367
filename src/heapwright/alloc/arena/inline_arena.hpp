// An arena that carries its first chunk inside itself, for work that mostly fits on the stack.
#pragma once

#include <cstddef>
#include <span>

#include <heapwright/alloc/arena/arena.hpp>

namespace heapwright {
namespace detail {

/// A base, so that the room exists before the arena that uses it. Left uninitialised on purpose.
template <std::size_t Bytes>
struct ArenaRoom {
    alignas(Chunk) std::byte room[Bytes + sizeof(Chunk)];  // NOLINT(*-avoid-c-arrays): std::array would be no different
};

}  // namespace detail

/// The first `Bytes` bytes cost no source; what does not fit comes from the source, if there is one.
///
/// Example: `InlineArena<4096> arena{os::kPages};`
/// Thread safety: one thread at a time.
template <std::size_t Bytes>
class InlineArena : private detail::ArenaRoom<Bytes>, public Arena {
public:
    explicit InlineArena(SourceRef source = {}, ArenaOptions options = {}) noexcept
        : Arena(std::span<std::byte>{this->room}, source, options) {}
};

}  // namespace heapwright
