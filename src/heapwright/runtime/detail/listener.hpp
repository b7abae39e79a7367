// A socket of this machine that answers GET requests, one after the other.
#pragma once

#include <cstdint>
#include <string_view>

#include <heapwright/base/error.hpp>
#include <heapwright/os/file.hpp>

namespace heapwright::runtime {

/// A listening socket: of 127.0.0.1, or a unix socket. Closed with the object; never blocks.
/// Thread safety: one thread.
class Listener {
public:
    /// Fails:    limit_reached (EADDRINUSE) when the port is taken; permission_denied; unsupported without IPv4.
    [[nodiscard]] Result<void> open_port(std::uint16_t port) noexcept;
    /// A socket file that nobody listens to any more is replaced.
    ///
    /// Fails:    limit_reached (EADDRINUSE) when somebody listens there or another file lies there; not_found (a folder);
    ///           permission_denied; overflow beyond 107 letters.
    [[nodiscard]] Result<void> open_path(const char* path) noexcept;

    [[nodiscard]] bool is_open() const noexcept { return socket_.is_open(); }
    [[nodiscard]] int fd() const noexcept { return socket_.fd(); }
    /// The port that the kernel chose where 0 was asked for.
    [[nodiscard]] std::uint16_t port() const noexcept;

    /// Takes a connection that waits. Returns: a closed file when there is none.
    [[nodiscard]] os::File accept() const noexcept;

private:
    Result<void> listen_at(int family, const void* address, unsigned address_bytes) noexcept;

    os::File socket_;
};

/// What a request asks for.
enum class Page : std::uint8_t { metrics, json, none, not_allowed, broken };

/// Reads a request's head. Whoever has not sent it within a second is given up.
[[nodiscard]] Page read_request(const os::File& connection, bool& wants_body) noexcept;

/// Answers and lets go. Whoever does not take the answer within a second goes without.
void answer(const os::File& connection, Page page, std::string_view body, bool wants_body) noexcept;

}  // namespace heapwright::runtime
