// Processes below another one, and what they hold.
#include <apps/cli/process_tree.hpp>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <vector>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

namespace heapwright::test {
namespace {

constexpr std::size_t kBytes = std::size_t{16} << 20;

/// A child that has kBytes resident, and a child of its own, until it is told to end. Returns when both are there.
pid_t start_family() {
    int ready[2];
    REQUIRE(pipe(ready) == 0);
    const pid_t child = fork();
    if (child == 0) {
        void* memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        std::memset(memory, 1, kBytes);
        if (fork() == 0) {
            (void)!write(ready[1], "x", 1);
        }
        pause();
        _exit(0);
    }
    char letter = 0;
    REQUIRE(read(ready[0], &letter, 1) == 1);
    close(ready[0]);
    close(ready[1]);
    return child;
}

}  // namespace

TEST_CASE("descendants are found at any depth, and their memory adds up however it is shared") {
    const pid_t child = start_family();
    const std::vector<pid_t> all = cli::descendants_of(getpid());
    const std::vector<pid_t> below = cli::descendants_of(child);
    CHECK(std::ranges::find(all, child) != all.end());
    REQUIRE(below.size() == 1);
    CHECK(std::ranges::find(all, below.front()) != all.end());
    const std::uint64_t both = cli::proportional_bytes(child) + cli::proportional_bytes(below.front());
    CHECK(both >= kBytes);
    CHECK(both < 2 * kBytes);
    kill(below.front(), SIGKILL);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    CHECK(cli::descendants_of(child).empty());
    CHECK(cli::proportional_bytes(child) == 0);
}

TEST_CASE("processor time is counted, and that of nobody is none") {
    volatile std::uint64_t sum = 0;
    while (cli::cpu_ns_of(getpid()) == 0) {
        for (std::uint64_t i = 0; i < 1'000'000; ++i) {
            sum = sum + i;
        }
    }
    CHECK(cli::cpu_ns_of(getpid()) > 0);
    CHECK(cli::cpu_ns_of(1 << 30) == 0);
}

}  // namespace heapwright::test
