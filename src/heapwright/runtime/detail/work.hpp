// What the monitor's thread does between its start and its end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <heapwright/base/text.hpp>
#include <heapwright/os/file.hpp>
#include <heapwright/runtime/detail/listener.hpp>
#include <heapwright/runtime/monitor.hpp>

namespace heapwright {

/// Says a line at the first failure of a kind, and is silent until it has worked again.
class Grievance {
public:
    void settle() noexcept { is_told_ = false; }
    /// Whether it is to be told now.
    [[nodiscard]] bool rise() noexcept {
        const bool tells = !is_told_;
        is_told_ = true;
        return tells;
    }

private:
    bool is_told_ = false;
};

/// Lives on the thread's stack.
class MonitorWork {
public:
    explicit MonitorWork(Monitor& monitor) noexcept : monitor_(monitor) {}
    void run() noexcept;

private:
    static constexpr std::size_t kPageBytes = std::size_t{104} << 10;
    using Page = Text<kPageBytes>;
    using Path = Text<640>;

    void take_own_descriptors() noexcept;
    void open_wake() noexcept;
    void open_places() noexcept;
    void write_files() noexcept;
    void write_file(const ConfigText& path, std::string_view text, Grievance& grievance) noexcept;
    [[nodiscard]] static Result<void> replace_file(const char* path, std::string_view text) noexcept;
    [[nodiscard]] bool wait_until(std::uint64_t due_ns) noexcept;
    void serve(const runtime::Listener& listener) noexcept;
    void make_page(Page& text, runtime::Page page) noexcept;
    [[nodiscard]] bool stops() const noexcept;
    void complain(std::string_view what, std::string_view name, const Error& error) noexcept;

    Monitor& monitor_;
    os::File wake_;
    os::File wake_end_;
    bool can_be_woken_ = false;
    runtime::Listener port_;
    runtime::Listener socket_;
    Path socket_path_;
    Grievance port_grievance_;
    Grievance socket_grievance_;
    Grievance metrics_grievance_;
    Grievance json_grievance_;
    std::uint64_t measured_ns_ = 0;
};

}  // namespace heapwright
