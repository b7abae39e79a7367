// One line on stderr, then SIGABRT as glibc would.
#include <heapwright/alloc/heap/detail/misuse.hpp>

#include <cstdint>

#include <signal.h>
#include <sys/syscall.h>

#include <heapwright/base/text.hpp>
#include <heapwright/os/report.hpp>
#include <heapwright/os/syscall.hpp>
#include <heapwright/os/thread.hpp>

namespace heapwright::heap {

namespace {

[[noreturn]] void stop(const char* what, const void* pointer, const char* why, const char* advice) noexcept {
    Text<256> line;
    line.append("heapwright: ");
    line.append(what);
    line.append(" of a pointer that is no block: ");
    line.append_hex(reinterpret_cast<std::uintptr_t>(pointer));
    line.append(why);
    line.append("; ");
    line.append(advice);
    abort_with(line.view());
}

}  // namespace

void abort_with(std::string_view line) noexcept {
    os::write_stderr_line(line);
    os::raw_syscall(SYS_tgkill, os::current_pid(), os::current_tid(), SIGABRT);
    __builtin_trap();
}

void stop_foreign(const char* what, const void* pointer) noexcept {
    stop(what, pointer, " lies outside the heap", "look for memory of another allocator, of the stack, or of a mapping");
}

void stop_interior(const char* what, const void* pointer) noexcept {
    stop(what, pointer, " lies inside a block", "pass the address that malloc returned");
}

void stop_not_a_block(const char* what, const void* pointer) noexcept {
    stop(what, pointer, " lies in memory that is free", "look for a second free of the same block");
}

}  // namespace heapwright::heap
