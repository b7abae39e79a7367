// What can go wrong in a correct program, as a value of 16 bytes that owns nothing.
#pragma once

#include <cstdint>
#include <expected>

namespace heapwright {

/// The kinds of failure that a correct program meets. A caller's mistake is not among them: that is HEAPWRIGHT_CHECK's.
enum class Errc : std::uint16_t {
    out_of_memory,        // number: bytes asked
    limit_reached,        // number: the limit
    overflow,             // number: the operand that was too large
    invalid_argument,     // number: the argument
    not_found,            // number: what was looked for
    permission_denied,    // system_errno says which
    io_failed,            // number: file offset
    disk_full,            // number: bytes that did not fit
    damaged_data,         // number: file offset
    unsupported_version,  // number: the version met
    unsupported,          // number: the feature
    timed_out,            // number: nanoseconds waited
    child_failed,         // number: its exit status
};

/// A kind and the number that explains it. Sentences are made of it once, in apps/cli.
struct Error {
    Errc kind;
    std::uint16_t system_errno = 0;  // errno of the system call that failed, 0 if none did
    std::uint32_t detail = 0;        // the module's own code for the place, 0 if it has none
    std::uint64_t number = 0;        // see the enumerators

    friend constexpr bool operator==(const Error&, const Error&) noexcept = default;
};
static_assert(sizeof(Error) == 16);

template <class T>
using Result = std::expected<T, Error>;

/// Example: `return fail_with(Errc::limit_reached, limit_bytes);`
[[nodiscard]] constexpr std::unexpected<Error> fail_with(Errc kind, std::uint64_t number = 0, int system_errno = 0) noexcept {
    return std::unexpected<Error>(
        Error{.kind = kind, .system_errno = static_cast<std::uint16_t>(system_errno), .detail = 0, .number = number});
}

/// The enumerator's name with spaces: "out of memory". Never nullptr.
[[nodiscard]] const char* name_of(Errc kind) noexcept;

}  // namespace heapwright
