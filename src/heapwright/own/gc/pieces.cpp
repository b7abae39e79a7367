// What is too large to be followed in one go, and what markers give each other.
#include <algorithm>
#include <cstring>

#include <heapwright/own/gc/detail/collector.hpp>
#include <heapwright/own/gc/detail/marker.hpp>
#include <heapwright/own/gc/tracer.hpp>

namespace heapwright::gc {

/// Large containers of references lie in one buffer, and are followed in pieces, as arrays are.
bool Tracer::defer_slots(const void* begin, const void* end) noexcept {
    if (mode_ == detail::TraceMode::report || mode_ == detail::TraceMode::evacuate) {
        return false;
    }
    const auto* const first = static_cast<const std::byte*>(begin);
    // A word in front of what the container sees; see buffers.cpp.
    const detail::Header* const buffer = detail::header_of(first - sizeof(std::size_t));
    static_cast<detail::Marker*>(this)->pieces.push(
        {.owner = buffer, .begin = first, .end = static_cast<const std::byte*>(end), .is_exact = true});
    return true;
}

namespace detail {

/// Follows the next piece of what is too large for one go. False when there is none.
bool Marker::trace_piece() noexcept {
    if (pieces.empty()) {
        return false;
    }
    Piece& last = pieces[pieces.size() - 1];
    const Piece piece{.owner = last.owner,
                      .begin = last.begin,
                      .end = static_cast<std::size_t>(last.end - last.begin) <= kPieceBytes ? last.end : last.begin + kPieceBytes,
                      .is_exact = last.is_exact};
    last.begin = piece.end;
    if (last.begin == last.end) {
        static_cast<void>(pieces.pop());
    }
    if (!piece.is_exact) {
        trace_within(piece.owner, piece.begin, piece.end);
    } else if (piece.owner->type() == &kBufferType) {
        // Otherwise the container let go of its buffer between two steps, and told all that it held.
        for (const std::byte* at = piece.begin; at < piece.end; at += sizeof(void*)) {
            edge(reinterpret_cast<void**>(const_cast<std::byte*>(at)));
        }
    }
    return true;
}

std::size_t Marker::share(void** to, std::size_t most) noexcept {
    const std::size_t count = std::min(waiting() / 2, most);
    // The oldest: they are roots of the largest parts.
    std::memcpy(to, begin_, count * sizeof(void*));
    std::memmove(begin_, begin_ + count, (waiting() - count) * sizeof(void*));
    top_ -= count;
    return count;
}

void Marker::accept(void* const* from, std::size_t count) noexcept {
    for (std::size_t index = 0; index < count; ++index) {
        push(from[index]);
    }
}

}  // namespace detail

}  // namespace heapwright::gc
