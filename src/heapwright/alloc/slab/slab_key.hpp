// The name of one object in a slab: where it is, and which of all the objects that were ever there.
#pragma once

#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace heapwright {

/// A key of a slab. It is a plain value that may outlive its object, and then names nothing for ever.
///
///   K1  generation is odd, or 0 in the key that names nothing
///
/// `Generation` says how often one place may be used: with 32 bits it is given up after 2^31 objects, so that no key comes
/// alive again; with 64 bits that never happens.
template <std::unsigned_integral Generation>
class BasicSlabKey {
public:
    using generation_type = Generation;

    /// Names nothing.
    constexpr BasicSlabKey() noexcept = default;

    /// For keys that were stored elsewhere, as index() and generation() gave them. Any two numbers make a harmless key.
    [[nodiscard]] static constexpr BasicSlabKey from_parts(std::uint32_t index, Generation generation) noexcept {
        return generation % 2 == 0 ? BasicSlabKey{} : BasicSlabKey{index, generation};
    }

    [[nodiscard]] constexpr std::uint32_t index() const noexcept { return index_; }
    [[nodiscard]] constexpr Generation generation() const noexcept { return generation_; }

    /// Whether it was ever the key of an object. Only its slab knows whether that object is still there.
    [[nodiscard]] constexpr explicit operator bool() const noexcept { return generation_ != 0; }

    friend constexpr auto operator<=>(const BasicSlabKey&, const BasicSlabKey&) noexcept = default;

    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] constexpr const char* broken_invariant() const noexcept {
        return generation_ == 0 || generation_ % 2 == 1 ? nullptr : "K1: a key's generation is that of a place at rest";
    }

private:
    constexpr BasicSlabKey(std::uint32_t index, Generation generation) noexcept : index_(index), generation_(generation) {}

    std::uint32_t index_ = 0;
    Generation generation_ = 0;
};

/// 8 bytes; a place is given up after 2^31 objects.
using SlabKey = BasicSlabKey<std::uint32_t>;
/// 16 bytes; at a thousand million objects a second a place lasts 292 years, and is then given up.
using WideSlabKey = BasicSlabKey<std::uint64_t>;
static_assert(sizeof(SlabKey) == 8 && sizeof(WideSlabKey) == 16);

}  // namespace heapwright

template <class Generation>
struct std::hash<heapwright::BasicSlabKey<Generation>> {
    [[nodiscard]] constexpr std::size_t operator()(heapwright::BasicSlabKey<Generation> key) const noexcept {
        // Neighbours differ in the lowest bits of either part; the products spread both.
        std::uint64_t mixed = static_cast<std::uint64_t>(key.generation()) * 0x9E37'79B9'7F4A'7C15U + key.index();
        mixed = (mixed ^ (mixed >> 32)) * 0xD6E8'FEB8'6659'FD93U;
        return static_cast<std::size_t>(mixed ^ (mixed >> 32));
    }
};
