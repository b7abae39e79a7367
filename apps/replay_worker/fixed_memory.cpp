#include "fixed_memory.hpp"

#include <unistd.h>

#include <heapwright/base/text.hpp>
#include <heapwright/os/pages.hpp>
#include <heapwright/os/report.hpp>

namespace heapwright::replay_worker {

namespace {

std::uint64_t total = 0;  // only grows while the worker has one thread

void touch_pages(void* start, std::size_t bytes) noexcept {
    auto* const byte = static_cast<volatile unsigned char*>(start);
    for (std::size_t at = 0; at < bytes; at += os::kPageBytes) {
        byte[at] = 0;
    }
}

}  // namespace

void give_up(std::string_view sentence, std::string_view fact) noexcept {
    Text<512> line;
    line.append("heapwright: ");
    line.append(sentence);
    line.append(fact);
    os::write_stderr_line(line.view());
    _exit(4);
}

void* fixed_bytes(std::size_t bytes, const char* name) noexcept {
    const std::size_t rounded = os::round_to_pages(bytes);
    void* const start = os::map_pages(rounded, name);
    if (start == nullptr) {
        give_up("cannot replay: no memory for ", name);
    }
    touch_pages(start, rounded);
    total += rounded;
    return start;
}

void* fixed_stack(std::size_t bytes, std::size_t touched, const char* name) noexcept {
    void* const start = os::map_pages(bytes, name);
    if (start == nullptr) {
        give_up("cannot replay: no memory for ", name);
    }
    touch_pages(static_cast<char*>(start) + (bytes - touched), touched);
    total += touched;
    return start;
}

std::uint64_t fixed_total() noexcept { return total; }

}  // namespace heapwright::replay_worker
