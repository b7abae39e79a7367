// System calls without libc: same answers, errno untouched, six arguments arrive.
#include <heapwright/os/syscall.hpp>

#include <cerrno>

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <doctest/doctest.h>

namespace heapwright::os {

TEST_CASE("the kernel's answer is libc's") {
    CHECK(raw_syscall(SYS_getpid) == ::getpid());
    CHECK(raw_syscall(SYS_getppid) == ::getppid());
}

TEST_CASE("a failure is the negated errno, and errno itself stays") {
    errno = 99;
    const long result = raw_syscall(SYS_close, -1);
    CHECK(errno == 99);
    CHECK(is_failure(result));
    CHECK(errno_of(result) == EBADF);
}

TEST_CASE("high addresses are no failures") {
    CHECK_FALSE(is_failure(0));
    CHECK_FALSE(is_failure(-4096));
    CHECK(is_failure(-4095));
    CHECK(is_failure(-1));
    CHECK_FALSE(is_failure(1));
}

TEST_CASE("six arguments of mixed types arrive") {
    const long result = raw_syscall(SYS_mmap, nullptr, sizeof(int), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L);
    REQUIRE_FALSE(is_failure(result));
    auto* number = reinterpret_cast<int*>(result);
    *number = 5;
    CHECK(*number == 5);
    CHECK(raw_syscall(SYS_munmap, number, sizeof(int)) == 0);
}

TEST_CASE("memory that the kernel writes is seen") {
    int ends[2] = {-1, -1};
    REQUIRE(raw_syscall(SYS_pipe2, static_cast<int*>(ends), 0) == 0);
    CHECK(ends[0] >= 0);
    CHECK(ends[1] > ends[0]);
    const char text[] = "abc";
    CHECK(raw_syscall(SYS_write, ends[1], static_cast<const char*>(text), sizeof text) == sizeof text);
    char back[sizeof text] = {};
    CHECK(raw_syscall(SYS_read, ends[0], static_cast<char*>(back), sizeof back) == sizeof back);
    CHECK(back[2] == 'c');
    raw_syscall(SYS_close, ends[0]);
    raw_syscall(SYS_close, ends[1]);
}

}  // namespace heapwright::os
