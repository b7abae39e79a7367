#include <heapwright/runtime/detail/listener.hpp>

#include <cerrno>
#include <cstddef>
#include <span>

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>

#include <heapwright/base/text.hpp>
#include <heapwright/os/clock.hpp>
#include <heapwright/os/syscall.hpp>

namespace heapwright::runtime {

namespace {

using namespace std::string_view_literals;
using os::is_failure;
using os::raw_syscall;

constexpr std::uint64_t kPatienceNs = 1'000'000'000;
constexpr std::size_t kHeadBytesMax = 4096;
constexpr int kWaiting = 16;  // connections that wait to be accepted

Error socket_error(long result) noexcept {
    const int number = os::errno_of(result);
    Error error = os::file_error(number);
    if (number == EADDRINUSE) {
        error.kind = Errc::limit_reached;
    } else if (number == EAFNOSUPPORT) {
        error.kind = Errc::unsupported;
    }
    return error;
}

bool is_socket(const char* path) noexcept {
    struct stat facts{};
    return !is_failure(raw_syscall(SYS_newfstatat, AT_FDCWD, path, &facts, AT_SYMLINK_NOFOLLOW)) && S_ISSOCK(facts.st_mode);
}

/// Waits until the connection can be read or written. Returns: false when the time is over.
bool wait_for(int descriptor, short events, std::uint64_t deadline_ns) noexcept {
    while (true) {
        const std::uint64_t now = os::monotonic_ns();
        if (now >= deadline_ns) {
            return false;
        }
        const std::uint64_t left = deadline_ns - now;
        constexpr std::uint64_t kSecond = 1'000'000'000;
        timespec timeout{.tv_sec = static_cast<time_t>(left / kSecond), .tv_nsec = static_cast<long>(left % kSecond)};
        pollfd wanted{.fd = descriptor, .events = events, .revents = 0};
        const long ready = raw_syscall(SYS_ppoll, &wanted, 1, &timeout, nullptr, 0);
        if (ready > 0) {
            return true;
        }
        if (is_failure(ready) && os::errno_of(ready) != EINTR) {
            return false;
        }
    }
}

bool send_all(int descriptor, std::string_view text, std::uint64_t deadline_ns) noexcept {
    while (!text.empty()) {
        const long sent = raw_syscall(SYS_sendto, descriptor, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT, nullptr, 0);
        if (!is_failure(sent)) {
            text.remove_prefix(static_cast<std::size_t>(sent));
        } else if (const int number = os::errno_of(sent);
                   (number != EAGAIN && number != EINTR) || !wait_for(descriptor, POLLOUT, deadline_ns)) {
            return false;
        }
    }
    return true;
}

/// Takes a word and the blank behind it off the front.
std::string_view take_word(std::string_view& line) noexcept {
    const std::size_t blank = line.find(' ');
    const std::string_view word = head_of(line, blank);
    line = tail_of(line, word.size() + 1);
    return word;
}

Page page_of(std::string_view head, bool& wants_body) noexcept {
    const std::string_view line_end = "\r\n"sv;
    std::string_view line = head_of(head, head.find(line_end));
    const std::string_view method = take_word(line);
    std::string_view target = take_word(line);
    target = head_of(target, target.find('?'));
    wants_body = method != "HEAD"sv;
    if (!line.starts_with("HTTP/1."sv) || !target.starts_with('/')) {
        return Page::broken;
    }
    if (method != "GET"sv && method != "HEAD"sv) {
        return Page::not_allowed;
    }
    if (target == "/metrics"sv) {
        return Page::metrics;
    }
    return target == "/metrics.json"sv ? Page::json : Page::none;
}

}  // namespace

Result<void> Listener::listen_at(int family, const void* address, unsigned address_bytes) noexcept {
    const long made = raw_syscall(SYS_socket, family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (is_failure(made)) {
        return std::unexpected(socket_error(made));
    }
    os::File socket(static_cast<int>(made));
    const int yes = 1;
    raw_syscall(SYS_setsockopt, socket.fd(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));  // without it, only slower to restart
    if (const long bound = raw_syscall(SYS_bind, socket.fd(), address, address_bytes); is_failure(bound)) {
        return std::unexpected(socket_error(bound));
    }
    if (const long listening = raw_syscall(SYS_listen, socket.fd(), kWaiting); is_failure(listening)) {
        return std::unexpected(socket_error(listening));
    }
    socket_ = static_cast<os::File&&>(socket);
    return {};
}

Result<void> Listener::open_port(std::uint16_t port) noexcept {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = __builtin_bswap16(port);
    address.sin_addr.s_addr = __builtin_bswap32(INADDR_LOOPBACK);
    return listen_at(AF_INET, &address, sizeof(address));
}

Result<void> Listener::open_path(const char* path) noexcept {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    TextBuffer text(address.sun_path, sizeof(address.sun_path));
    if (text.append(path).truncated()) {
        return fail_with(Errc::overflow, sizeof(address.sun_path) - 1, ENAMETOOLONG);
    }
    auto opened = listen_at(AF_UNIX, &address, sizeof(address));
    if (opened || opened.error().system_errno != EADDRINUSE) {
        return opened;
    }
    const long probe = raw_syscall(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (is_failure(probe)) {
        return opened;
    }
    const os::File socket(static_cast<int>(probe));
    const long connected = raw_syscall(SYS_connect, socket.fd(), &address, sizeof(address));
    // Other files refuse as well.
    if (!is_failure(connected) || os::errno_of(connected) != ECONNREFUSED || !is_socket(path) || !os::remove_file(path)) {
        return opened;  // somebody listens, or it is no socket
    }
    return listen_at(AF_UNIX, &address, sizeof(address));
}

std::uint16_t Listener::port() const noexcept {
    sockaddr_in address{};
    unsigned bytes = sizeof(address);
    const long result = raw_syscall(SYS_getsockname, socket_.fd(), &address, &bytes);
    return is_failure(result) ? std::uint16_t{0} : __builtin_bswap16(address.sin_port);
}

os::File Listener::accept() const noexcept {
    const long connection = raw_syscall(SYS_accept4, socket_.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    return is_failure(connection) ? os::File() : os::File(static_cast<int>(connection));
}

Page read_request(const os::File& connection, bool& wants_body) noexcept {
    char room[kHeadBytesMax];
    std::size_t used = 0;
    const std::uint64_t deadline = os::monotonic_ns() + kPatienceNs;
    wants_body = true;
    while (used < sizeof(room) && wait_for(connection.fd(), POLLIN, deadline)) {
        const long got = raw_syscall(SYS_recvfrom, connection.fd(), room + used, sizeof(room) - used, MSG_DONTWAIT, nullptr, nullptr);
        if (is_failure(got) && (os::errno_of(got) == EAGAIN || os::errno_of(got) == EINTR)) {
            continue;
        }
        if (is_failure(got) || got == 0) {
            break;
        }
        used += static_cast<std::size_t>(got);
        const std::string_view head(room, used);
        if (head.find("\r\n\r\n"sv) != std::string_view::npos) {
            return page_of(head, wants_body);
        }
    }
    return Page::broken;
}

void answer(const os::File& connection, Page page, std::string_view body, bool wants_body) noexcept {
    std::string_view status = "200 OK"sv;
    std::string_view type = page == Page::json ? "application/json"sv : "application/openmetrics-text; version=1.0.0; charset=utf-8"sv;
    if (page == Page::none || page == Page::not_allowed || page == Page::broken) {
        const std::string_view refused = page == Page::broken ? "400 Bad Request"sv : "405 Method Not Allowed\r\nAllow: GET, HEAD"sv;
        status = page == Page::none ? "404 Not Found"sv : refused;
        type = "text/plain; charset=utf-8"sv;
        body = "ask for /metrics or /metrics.json\n"sv;
    }
    Text<512> head;
    head.append("HTTP/1.1 "sv).append(status).append("\r\nContent-Type: "sv).append(type).append("\r\nContent-Length: "sv);
    head.append_decimal(std::uint64_t{body.size()}).append("\r\nConnection: close\r\n\r\n"sv);
    const std::uint64_t deadline = os::monotonic_ns() + kPatienceNs;
    if (send_all(connection.fd(), head.view(), deadline) && wants_body) {
        static_cast<void>(send_all(connection.fd(), body, deadline));  // whoever asked has gone: nobody to tell
    }
    raw_syscall(SYS_shutdown, connection.fd(), SHUT_WR);
}

}  // namespace heapwright::runtime
