// Where a process may not mesh, a line says why, once; and the heap is as it is without.
#include <string>

#include <linux/capability.h>
#include <sys/mman.h>
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

}  // namespace
}  // namespace heapwright::test
