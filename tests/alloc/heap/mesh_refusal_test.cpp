// Where a process may not mesh, a line says why, once; and the heap is as it is without.
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>

#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <heapwright/alloc/heap/default_heap.hpp>
#include <heapwright/alloc/heap/detail/mesher.hpp>

#include <tests/support/death.hpp>

namespace heapwright::test {
namespace {

constexpr int kMeshes = 3;
constexpr int kNotSet = 4;
constexpr const char* kWouldDo = " MiB more recoverable with vm.max_map_count = ";

/// How a child ends that asks for meshing twice, after `prepare()`.
template <class Prepare>
Death outcome_of(Prepare prepare) {
    return death_of([&] {
        if (!prepare()) {
            ::_exit(kNotSet);
        }
        const bool may_mesh = default_heap::begin_meshing() || default_heap::begin_meshing();
        void* const block = default_heap::allocate(100);
        default_heap::release(block);
        ::_exit(may_mesh ? kMeshes : block == nullptr ? 1 : 0);
    });
}

/// A machine on which there is something to refuse.
bool is_possible() {
    return outcome_of([] { return true; }).exit_status == kMeshes;
}

bool give_up_tracing() {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    __user_cap_data_struct data[2]{};
    if (::syscall(SYS_capget, &header, data) != 0) {
        return false;
    }
    data[0].effective &= ~(1U << CAP_SYS_PTRACE);
    return ::syscall(SYS_capset, &header, data) == 0;
}

bool lock_memory() { return ::mlockall(MCL_FUTURE) == 0; }

bool allow_no_descriptor() {
    const rlimit none{.rlim_cur = 0, .rlim_max = 0};
    return ::setrlimit(RLIMIT_NOFILE, &none) == 0;
}

void check_refusal(const Death& death, const std::string& reason) {
    if (death.exit_status == kNotSet) {
        MESSAGE("this process may not prepare that");
        return;
    }
    CHECK(death.exit_status == 0);
    CHECK(death.last_words == "heapwright: compaction:mesh stays off: " + reason + "\n");
}

TEST_CASE("where meshing is refused, the reason is told once") {
    if (!is_possible()) {
        MESSAGE("this process may not mesh");
        return;
    }
    check_refusal(outcome_of(give_up_tracing), "it needs userfaultfd with CAP_SYS_PTRACE; run as root, or grant the capability");
    check_refusal(outcome_of(lock_memory), "the program's memory is locked (mlockall)");
    check_refusal(outcome_of(allow_no_descriptor), "the kernel has no memory or no file descriptors left");
}

std::size_t mappings_allowed() {
    std::ifstream file("/proc/sys/vm/max_map_count");
    std::size_t count = 0;
    file >> count;
    return count;
}

/// Each second page has other rights, so that each page is a mapping; but for some that are left to be had.
bool take_most_mappings(std::size_t allowed) {
    constexpr std::size_t kPage = 4096;
    constexpr std::size_t kLeft = 200;
    const std::size_t pages = allowed * 2;
    auto* const all = static_cast<char*>(::mmap(nullptr, pages * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (all == MAP_FAILED) {
        return false;
    }
    std::size_t page = 1;
    while (page < pages && ::mprotect(all + page * kPage, kPage, PROT_READ) == 0) {
        page += 2;
    }
    return page < pages && ::munmap(all, kLeft * kPage) == 0;
}

constexpr std::size_t kBytes = 256;
constexpr std::size_t kShare = 16;
using Blocks = std::array<void*, 100'000>;

void fill(Blocks& blocks) {
    for (void*& block : blocks) {
        block = default_heap::allocate(kBytes);
    }
}

/// One of each row is left, each time at another place.
void thin_out(const Blocks& blocks) {
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        if (i % kShare != i / kShare % kShare) {
            default_heap::release(blocks[i]);
        }
    }
}

TEST_CASE("where the program itself has most mappings, a line tells how many more would do") {
    constexpr std::size_t kWorthATry = 200'000;
    const std::size_t allowed = mappings_allowed();
    if (!is_possible() || allowed > kWorthATry) {
        MESSAGE("this process may not mesh, or has more mappings than a test uses up");
        return;
    }
    const Death death = death_of([&] {
        static Blocks blocks;
        fill(blocks);
        if (!take_most_mappings(allowed) || !default_heap::begin_meshing()) {
            ::_exit(kNotSet);
        }
        thin_out(blocks);
        static_cast<void>(default_heap::trim());
        const HeapStatistics now = default_heap::statistics();
        ::_exit(now.unmet_bytes < std::uint64_t{1} << 20 ? 1 : now.wanted_map_count <= allowed ? 2 : 0);
    });
    CHECK(death.exit_status == 0);
    CHECK(death.last_words.find(kWouldDo) != std::string::npos);
}

/// From now on the kernel has no memory for a private mapping in a given place, where that is the first of sixteen slices.
bool refuse_some_mappings() {
    constexpr std::uint32_t kFixedPrivate = MAP_FIXED | MAP_PRIVATE;
    constexpr std::uint32_t kWithinSixteen = 0xF0000;
    std::array<sock_filter, 9> steps{{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 6),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[3])),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, kFixedPrivate | MAP_ANONYMOUS),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kFixedPrivate, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, kWithinSixteen, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOMEM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    }};
    const sock_fprog program{.len = static_cast<unsigned short>(steps.size()), .filter = steps.data()};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST_CASE("where the kernel refuses some mappings for want of memory, the others are made, and no line tells of mappings") {
    if (!is_possible()) {
        MESSAGE("this process may not mesh");
        return;
    }
    const Death death = death_of([] {
        static Blocks blocks;
        fill(blocks);
        if (!default_heap::begin_meshing() || !refuse_some_mappings()) {
            ::_exit(kNotSet);
        }
        thin_out(blocks);
        static_cast<void>(default_heap::trim());
        const HeapStatistics now = default_heap::statistics();
        ::_exit(now.unmet_bytes != 0 || now.wanted_map_count != 0 ? 1 : now.shared_bytes < blocks.size() * kBytes / 2 ? 2 : 0);
    });
    if (death.exit_status == kNotSet) {
        MESSAGE("this process may not filter its system calls");
        return;
    }
    CHECK(death.exit_status == 0);
    CHECK(death.last_words.find(kWouldDo) == std::string::npos);
}

}  // namespace
}  // namespace heapwright::test
