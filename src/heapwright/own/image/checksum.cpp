// The checksum of a block.
#include <heapwright/own/image/detail/checksum.hpp>

#include <cstring>

namespace heapwright::detail {

namespace {

constexpr std::size_t kLanes = 8;
constexpr std::uint64_t kOdd = 0x9E37'79B9'7F4A'7C15U;

/// Each of the three parts can be undone, so that different words never leave the same result. The shift brings down what a product
/// only carries up.
constexpr std::uint64_t mix(std::uint64_t sum, std::uint64_t word) {
    const std::uint64_t product = (sum ^ word) * kOdd;
    return product ^ product >> 32;
}

std::uint64_t word_at(const std::byte* bytes) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes, sizeof(word));
    return word;
}

}  // namespace

std::uint64_t image_checksum(std::span<const std::byte> bytes, std::uint64_t seed) noexcept {
    std::uint64_t lanes[kLanes];
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
        lanes[lane] = seed + lane * kOdd;
    }
    const std::byte* at = bytes.data();
    std::size_t words = bytes.size() / sizeof(std::uint64_t);
    for (; words >= kLanes; words -= kLanes, at += kLanes * sizeof(std::uint64_t)) {
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
            lanes[lane] = mix(lanes[lane], word_at(at + lane * sizeof(std::uint64_t)));
        }
    }
    for (std::size_t lane = 0; lane < words; ++lane) {
        lanes[lane] = mix(lanes[lane], word_at(at + lane * sizeof(std::uint64_t)));
    }
    std::uint64_t sum = bytes.size();
    for (const std::uint64_t lane : lanes) {
        sum = mix(sum, lane);
    }
    return sum;
}

}  // namespace heapwright::detail
