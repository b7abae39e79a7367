// Futexes and RawThread: runs, joins, keeps signals away, works with stack protection, errno and locale, and after fork.
#include <heapwright/os/thread.hpp>

#include <atomic>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <heapwright/base/platform.hpp>
#include <heapwright/os/clock.hpp>
#include <heapwright/os/file.hpp>
#include <heapwright/os/syscall.hpp>

#include <tests/support/death.hpp>

namespace heapwright::os {
namespace {

constexpr bool kLibcThreads = HEAPWRIGHT_UNDER_ASAN != 0 || HEAPWRIGHT_UNDER_TSAN != 0;

thread_local int initialised_here = 4711;
thread_local int zero_here = 0;

struct Facts {
    std::uint32_t tid = 0;
    std::uint64_t blocked = 0;
    char name[16] = {};
    int errno_at_start = -1;
    int initialised = 0;
    int zero = -1;
    long parsed = 0;
    bool digit = false;
    std::atomic<std::uint32_t> done{0};
};

/// Uses a large local array, so that stack protection has something to protect.
__attribute__((noinline)) long parse_on_stack(const char* text) {
    char room[512];
    std::strncpy(room, text, sizeof room - 1);
    room[sizeof room - 1] = '\0';
    return std::strtol(room, nullptr, 10);
}

void gather(void* argument) noexcept {
    auto& facts = *static_cast<Facts*>(argument);
    facts.tid = current_tid();
    facts.errno_at_start = errno;
    errno = 55;
    facts.initialised = initialised_here;
    facts.zero = zero_here;
    initialised_here = -1;
    zero_here = -1;
    raw_syscall(14 /* rt_sigprocmask */, 0, nullptr, &facts.blocked, sizeof facts.blocked);
    raw_syscall(157 /* prctl */, 16 /* PR_GET_NAME */, static_cast<char*>(facts.name));
    facts.parsed = parse_on_stack("  -1234567 rest");
    facts.digit = std::isdigit('7') != 0;
    facts.done.store(1);
}

void count_up(void* argument) noexcept { static_cast<std::atomic<int>*>(argument)->fetch_add(1); }

void wait_for_word(void* argument) noexcept {
    auto& word = *static_cast<std::atomic<std::uint32_t>*>(argument);
    while (word.load() == 0) {
        futex_wait(&word, 0);
    }
}

std::atomic<int> handled{0};
void handle_signal(int) { handled.fetch_add(1); }

}  // namespace

TEST_CASE("a raw thread runs its body once, under its name, and is joined") {
    Facts facts;
    RawThread thread;
    CHECK_FALSE(thread.is_started());
    REQUIRE(thread.start(&gather, &facts, "gatherer-with-a-long-name").has_value());
    CHECK(thread.is_started());
    CHECK(thread.broken_invariant() == nullptr);
    thread.join();
    CHECK_FALSE(thread.is_started());
    CHECK(thread.broken_invariant() == nullptr);
    CHECK(thread.tid() == 0);
    CHECK(facts.done.load() == 1);
    CHECK(facts.tid != 0);
    CHECK(facts.tid != current_tid());
    CHECK(std::string(static_cast<const char*>(facts.name)) == "gatherer-with-a");
}

TEST_CASE("a raw thread has thread-local storage and errno of its own, with their initial values") {
    initialised_here = 1;
    zero_here = 1;
    errno = 12;
    Facts facts;
    RawThread thread;
    REQUIRE(thread.start(&gather, &facts, "tls").has_value());
    thread.join();
    CHECK(errno == 12);
    CHECK(facts.errno_at_start == 0);
    CHECK(facts.initialised == 4711);
    CHECK(facts.zero == 0);
    CHECK(initialised_here == 1);
    CHECK(zero_here == 1);
}

TEST_CASE("code with stack protection and libc's locale works on a raw thread") {
    Facts facts;
    RawThread thread;
    REQUIRE(thread.start(&gather, &facts, "locale").has_value());
    thread.join();
    CHECK(facts.parsed == -1'234'567);
    CHECK((kLibcThreads || facts.digit));
}

TEST_CASE("every signal is blocked on a raw thread, and the starter's mask is as before") {
    std::uint64_t before = 0;
    std::uint64_t after = 0;
    raw_syscall(14, 0, nullptr, &before, sizeof before);
    Facts facts;
    RawThread thread;
    REQUIRE(thread.start(&gather, &facts, "signals").has_value());
    raw_syscall(14, 0, nullptr, &after, sizeof after);
    thread.join();
    CHECK(before == after);
    // SIGKILL and SIGSTOP cannot be blocked; under sanitizers libc and the run time keep a few for themselves.
    constexpr std::uint64_t kOrdinary = 0x7FFFFFFF & ~(1U << (SIGKILL - 1)) & ~(1U << (SIGSTOP - 1));
    CHECK((facts.blocked & kOrdinary) == kOrdinary);
}

TEST_CASE("a signal to the process is handled by the program's thread, not by the raw one") {
    const auto before = std::signal(SIGUSR1, &handle_signal);
    std::atomic<std::uint32_t> word{0};
    RawThread thread;
    REQUIRE(thread.start(&wait_for_word, &word, "quiet").has_value());
    const int handled_before = handled.load();
    ::kill(::getpid(), SIGUSR1);
    while (handled.load() == handled_before) {
        yield_thread();
    }
    word.store(1);
    futex_wake(&word);
    thread.join();
    std::signal(SIGUSR1, before);
    CHECK(handled.load() == handled_before + 1);
}

TEST_CASE("many raw threads run at once and leave nothing behind") {
    std::atomic<int> count{0};
    std::uint32_t threads_before = thread_count().value();
    for (int round = 0; round < 20; ++round) {
        RawThread threads[8];
        for (RawThread& thread : threads) {
            REQUIRE(thread.start(&count_up, &count, "many").has_value());
        }
        for (RawThread& thread : threads) {
            thread.join();
        }
    }
    CHECK(count.load() == 160);
    // The kernel lists a thread for a moment after it woke its joiner.
    while (thread_count().value() > threads_before) {
        yield_thread();
    }
    CHECK(thread_count().value() == threads_before);
}

TEST_CASE("joining what was never started does nothing") {
    RawThread thread;
    thread.join();
    CHECK_FALSE(thread.is_started());
}

TEST_CASE("a raw thread can be started by a thread of libc") {
    std::atomic<int> count{0};
    std::thread([&count] {
        RawThread thread;
        REQUIRE(thread.start(&count_up, &count, "nested").has_value());
        thread.join();
    }).join();
    CHECK(count.load() == 1);
}

TEST_CASE("the child of fork forgets its parent's thread and starts one of its own") {
    std::atomic<std::uint32_t> word{0};
    RawThread thread;
    REQUIRE(thread.start(&wait_for_word, &word, "parent").has_value());
    const pid_t child = ::fork();
    if (child == 0) {
        thread.forget_after_fork();
        std::atomic<int> count{0};
        const bool started = thread.broken_invariant() == nullptr && thread.start(&count_up, &count, "child").has_value();
        thread.join();
        ::_exit(started && count.load() == 1 ? 0 : 1);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    word.store(1);
    futex_wake(&word);
    thread.join();
}

TEST_CASE("the program exits while a raw thread still runs") {
    const auto child = test::death_of([] {
        static std::atomic<std::uint32_t> word{0};
        static RawThread thread;
        if (thread.start(&wait_for_word, &word, "left over").has_value()) {
            ::_exit(7);
        }
    });
    CHECK(child.exit_status == 7);
}

TEST_CASE("a refused thread leaves nothing behind" * doctest::skip(kLibcThreads)) {
    // A stack larger than the address space may be: the mapping fails, nothing else happens.
    RawThread thread;
    std::atomic<int> count{0};
    const auto refused = thread.start(&count_up, &count, "huge", std::size_t{1} << 60);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().kind == Errc::out_of_memory);
    CHECK(thread.broken_invariant() == nullptr);
    CHECK_FALSE(thread.is_started());
}

TEST_CASE("a thread that runs over its stack dies on the guard page" * doctest::skip(kLibcThreads)) {
    const auto death = test::death_of([] {
        RawThread thread;
        const auto overflow = [](void*) noexcept {
            volatile char room[std::size_t{256} << 10];
            for (std::size_t index = sizeof room; index > 0; index -= 1024) {
                room[index - 1] = 1;
            }
        };
        static_cast<void>(thread.start(overflow, nullptr, "deep", std::size_t{64} << 10));
        thread.join();
    });
    CHECK(death.signal == SIGSEGV);
}

TEST_CASE("destroying or restarting a running thread is the caller's mistake") {
    const auto destroyed = test::death_of([] {
        static std::atomic<std::uint32_t> word{0};
        RawThread thread;
        static_cast<void>(thread.start(&wait_for_word, &word, "left"));
    });
    CHECK(test::said(destroyed, "heapwright: a thread must be joined before it is destroyed"));
    const auto restarted = test::death_of([] {
        static std::atomic<std::uint32_t> word{0};
        RawThread thread;
        static_cast<void>(thread.start(&wait_for_word, &word, "once"));
        static_cast<void>(thread.start(&wait_for_word, &word, "twice"));
    });
    CHECK(test::said(restarted, "heapwright: a thread cannot be started twice"));
}

TEST_CASE("waiting for a word that has changed returns at once, and a timeout is told") {
    std::atomic<std::uint32_t> word{1};
    CHECK(futex_wait(&word, 0));
    CHECK_FALSE(futex_wait(&word, 1, 1'000'000));
}

TEST_CASE("sleeping takes at least the time asked") {
    const std::uint64_t before = monotonic_ns();
    sleep_ns(2'000'000);
    CHECK(monotonic_ns() - before >= 2'000'000);
}

TEST_CASE("ids are libc's") {
    CHECK(current_pid() == static_cast<std::uint32_t>(::getpid()));
    CHECK(current_tid() == static_cast<std::uint32_t>(::gettid()));
}

}  // namespace heapwright::os
