// Asking the kernel about the program and the machine.
#include <heapwright/trace/record/provenance.hpp>

#include <string_view>

#include <sys/syscall.h>

#include <gnu/libc-version.h>

#include <heapwright/base/text.hpp>
#include <heapwright/base/version.hpp>
#include <heapwright/os/clock.hpp>
#include <heapwright/os/file.hpp>
#include <heapwright/os/pages.hpp>
#include <heapwright/os/process.hpp>
#include <heapwright/os/syscall.hpp>
#include <heapwright/trace/event.hpp>
#include <heapwright/trace/record/text_parts.hpp>
#include <heapwright/trace/records.hpp>

namespace heapwright::trace::record {

namespace {

using PathText = Text<kPathBytesMax>;

void write_program(ByteWriter& out) noexcept {
    PathText text;
    if (os::append_program_path(text)) {
        write_pair(out, "program", text.view());
    }
    text.clear();
    if (os::append_command_line(text)) {
        write_pair(out, "arguments", text.view());
    }
    char folder[kPathBytesMax];
    const long bytes = os::raw_syscall(SYS_getcwd, folder, sizeof(folder));
    if (bytes > 0) {
        write_pair(out, "cwd", {folder, static_cast<std::size_t>(bytes) - 1});
    }
}

/// "glibc 2.36", or the file name of another allocator's library.
void write_allocator(ByteWriter& out, const ModuleOf& allocator) noexcept {
    const std::string_view path(allocator.path);
    std::string_view name = file_name_of(path);
    Text<64> text;
    if (name.starts_with("libc.so") || name.starts_with("libc-")) {
        text.append("glibc ").append(gnu_get_libc_version());
        name = text.view();
    }
    write_pair(out, "allocator", name);
    write_pair(out, "allocator_path", path);
    Text<2 * sizeof(allocator.build_id) + 1> id;
    for (std::size_t at = 0; at < allocator.build_id_bytes; ++at) {
        constexpr char kDigits[] = "0123456789abcdef";
        id.append_char(kDigits[allocator.build_id[at] >> 4]).append_char(kDigits[allocator.build_id[at] & 15]);
    }
    write_pair(out, "allocator_build_id", id.view());
}

void write_machine(ByteWriter& out) noexcept {
    Text<256> text;
    os::append_kernel_release(text);
    write_pair(out, "kernel", text.view());
    write_pair(out, "thp", os::name_of(os::huge_page_mode()));
    write_pair(out, "cores_online", os::usable_cores());
    write_pair(out, "machine_memory_bytes", os::machine_memory_bytes());
    const os::GroupLimits limits = os::group_limits();
    if (limits.cpu_millicores != os::GroupLimits::kNone) {
        write_pair(out, "cgroup_cpu_quota", limits.cpu_millicores);
    }
    if (limits.memory_bytes != os::GroupLimits::kNone) {
        write_pair(out, "cgroup_memory_limit", limits.memory_bytes);
    }
    write_pair(out, "page_bytes", os::kPageBytes);
}

/// VmHWM: unlike getrusage it begins anew with each program that a process executes.
std::uint64_t peak_resident_bytes() noexcept {
    char room[2048];
    const auto bytes = os::read_file("/proc/self/status", room);
    if (!bytes) {
        return 0;
    }
    constexpr std::string_view kKey = "VmHWM:";
    const std::string_view text(room, *bytes);
    const std::size_t key = text.find(kKey);
    if (key == std::string_view::npos) {
        return 0;
    }
    std::string_view value = without_first(text, key + kKey.size());
    while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) {
        value.remove_prefix(1);
    }
    std::uint64_t kibibytes = 0;
    return take_decimal(value, kibibytes) ? kibibytes * 1024 : 0;
}

const char* name_of(stack::StackMode mode) noexcept {
    switch (mode) {
        case stack::StackMode::none: return "none";
        case stack::StackMode::frames: return "frames";
        case stack::StackMode::full: break;
    }
    return "full";
}

}  // namespace

void write_info(ByteWriter& out, const Options& options, const Provenance& provenance) noexcept {
    write_pair(out, "heapwright_version", kVersionText);
    write_program(out);
    write_pair(out, "pid", provenance.pid);
    const long parent = os::raw_syscall(SYS_getppid);
    write_pair(out, "parent_pid", provenance.parent_pid != 0 ? provenance.parent_pid : static_cast<std::uint64_t>(parent));
    if (provenance.parent_trace[0] != '\0') {
        write_pair(out, "parent_trace", provenance.parent_trace);
    }
    if (provenance.allocator != nullptr) {
        write_allocator(out, *provenance.allocator);
    }
    write_machine(out);
    write_pair(out, "stack_mode", name_of(options.stack));
    write_pair(out, "depth", options.depth);
    write_pair(out, "sample_interval_bytes", options.sample_interval_bytes);
    write_pair(out, "mappings", options.mappings ? 1 : 0);
    write_pair(out, "cycles_per_tick", kCyclesPerTick);
    const os::TickPoint now = os::tick_point();
    write_pair(out, "started_tick", now.ticks / kCyclesPerTick);
    write_pair(out, "started_monotonic_ns", now.monotonic_ns);
    write_pair(out, "started_unix_ns", os::wall_ns());
}

void write_closing(ByteWriter& out, const Closing& closing) noexcept {
    const os::ResourceUse use = os::resource_use();
    write_pair(out, "reason", closing.reason);
    write_pair(out, "events", closing.events);
    write_pair(out, "dropped_events", closing.dropped_events);
    write_pair(out, "wall_ns", closing.wall_ns);
    write_pair(out, "cpu_ns", use.user_ns + use.system_ns);
    write_pair(out, "peak_resident_bytes", peak_resident_bytes());
    write_pair(out, "minor_faults", use.minor_faults);
    write_pair(out, "major_faults", use.major_faults);
    write_pair(out, "chunks", closing.chunks);
    write_pair(out, "recorder_cpu_ns", closing.recorder_cpu_ns);
    write_pair(out, "recorder_resident_bytes", closing.recorder_resident_bytes);
}

}  // namespace heapwright::trace::record
