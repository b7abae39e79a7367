// What a failed replay was about: the trace, or something that the user never named.
#pragma once

#include <cstdint>

#include <heapwright/base/error.hpp>

namespace heapwright::study {

/// Error::detail of what replay() fails with.
enum class ReplayPlace : std::uint32_t {
    trace = 0,
    worker,   ///< the program that replays
    folder,   ///< for plans and results
    plan,     ///< a file in it
    sampled,  ///< the trace holds one block in so many bytes (`number`)
    empty,    ///< the trace holds no allocation
};

[[nodiscard]] inline std::unexpected<Error> fail_at(ReplayPlace place, Error error) {
    error.detail = static_cast<std::uint32_t>(place);
    return std::unexpected(error);
}

}  // namespace heapwright::study
