// Futexes, ids, and the making and ending of a thread that libc does not know.
#include <heapwright/os/thread.hpp>

#include <string_view>

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

#include <heapwright/base/bits.hpp>
#include <heapwright/base/check.hpp>
#include <heapwright/base/text.hpp>
#include <heapwright/os/detail/thread_tls.hpp>
#include <heapwright/os/file.hpp>
#include <heapwright/os/pages.hpp>
#include <heapwright/os/syscall.hpp>

// clone() in assembly, because the child returns from the system call on an empty stack: no compiled function may be
// between. The frame is marked as the outermost one, so that unwinders stop there.
//
//   long heapwright_raw_clone(flags, stack_top, parent_tid, child_tid, tls, thread)
asm(R"(
    .pushsection .text.heapwright_raw_clone, "ax", @progbits
    .hidden heapwright_raw_clone
    .globl heapwright_raw_clone
    .type heapwright_raw_clone, @function
heapwright_raw_clone:
    .cfi_startproc
    endbr64
    movq %rcx, %r10
    movl $56, %eax
    syscall
    testq %rax, %rax
    jz 1f
    ret
1:  .cfi_undefined %rip
    xorl %ebp, %ebp
    movq %r9, %rdi
    call heapwright_raw_thread_main
    xorl %edi, %edi
    movl $60, %eax
    syscall
    hlt
    .cfi_endproc
    .size heapwright_raw_clone, . - heapwright_raw_clone
    .popsection
)");

extern "C" {
long heapwright_raw_clone(unsigned long flags, void* stack_top, std::atomic<std::uint32_t>* parent_tid,
                          std::atomic<std::uint32_t>* child_tid, void* tls, heapwright::os::RawThread* thread) noexcept;
__attribute__((visibility("hidden"), used)) void heapwright_raw_thread_main(heapwright::os::RawThread* thread) noexcept;
}

namespace heapwright::os {

/// The first thing a new thread runs.
struct RawThreadEntry {
    static void run(RawThread* thread) noexcept {
        static_cast<void>(raw_syscall(SYS_prctl, PR_SET_NAME, static_cast<const char*>(thread->name_)));
        thread->body_(thread->argument_);
    }

    static void* run_as_pthread(void* thread) noexcept {
        run(static_cast<RawThread*>(thread));
        return nullptr;
    }
};

namespace {

constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
constexpr bool kUseThreadsOfLibc = HEAPWRIGHT_UNDER_ASAN != 0 || HEAPWRIGHT_UNDER_TSAN != 0;

timespec timespec_of(std::uint64_t duration_ns) noexcept {
    return timespec{.tv_sec = static_cast<time_t>(duration_ns / kNsPerSecond), .tv_nsec = static_cast<long>(duration_ns % kNsPerSecond)};
}

/// Blocks every signal, those that libc keeps for itself included, for as long as it lives.
class AllSignalsBlocked {
public:
    AllSignalsBlocked() noexcept {
        const std::uint64_t all = UINT64_MAX;
        static_cast<void>(raw_syscall(SYS_rt_sigprocmask, /*SIG_SETMASK*/ 2, &all, &before_, sizeof all));
    }
    ~AllSignalsBlocked() { static_cast<void>(raw_syscall(SYS_rt_sigprocmask, /*SIG_SETMASK*/ 2, &before_, nullptr, sizeof before_)); }
    AllSignalsBlocked(const AllSignalsBlocked&) = delete;
    AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

private:
    std::uint64_t before_ = 0;
};

}  // namespace

std::uint32_t current_tid() noexcept { return static_cast<std::uint32_t>(raw_syscall(SYS_gettid)); }

std::uint32_t current_pid() noexcept { return static_cast<std::uint32_t>(raw_syscall(SYS_getpid)); }

Result<std::uint32_t> thread_count() noexcept {
    char room[1024];
    const Result<std::size_t> got = read_file("/proc/self/stat", room);
    if (!got) {
        return std::unexpected(got.error());
    }
    // Field 20, counted after the program's name, which may itself hold blanks and brackets.
    std::string_view text(room, *got);
    text.remove_prefix(text.rfind(')') + 1);
    for (int field = 3; field <= 20; ++field) {
        text.remove_prefix(text.find(' ') + 1);
    }
    std::uint64_t threads = 0;
    if (!take_decimal(text, threads)) {
        return fail_with(Errc::damaged_data);
    }
    return static_cast<std::uint32_t>(threads);
}

bool futex_wait(std::atomic<std::uint32_t>* word, std::uint32_t value, std::uint64_t timeout_ns) noexcept {
    const timespec timeout = timespec_of(timeout_ns);
    const timespec* limit = timeout_ns == kForever ? nullptr : &timeout;
    return raw_syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, limit, nullptr, 0) != -ETIMEDOUT;
}

void futex_wake(std::atomic<std::uint32_t>* word, std::uint32_t count) noexcept {
    // The kernel takes a signed count.
    static_cast<void>(raw_syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count < INT32_MAX ? count : INT32_MAX, nullptr, nullptr, 0));
}

void yield_thread() noexcept { static_cast<void>(raw_syscall(SYS_sched_yield)); }

void sleep_ns(std::uint64_t duration_ns) noexcept {
    timespec left = timespec_of(duration_ns);
    while (raw_syscall(SYS_nanosleep, &left, &left) == -EINTR) {}
}

RawThread::~RawThread() { HEAPWRIGHT_CHECK(!started_, "a thread must be joined before it is destroyed"); }

void RawThread::prepare() noexcept { static_cast<void>(detail::static_tls_plan()); }

Result<void> RawThread::start(Body body, void* argument, const char* name, std::size_t stack_bytes) noexcept {
    HEAPWRIGHT_CHECK(!started_, "a thread cannot be started twice");
    body_ = body;
    argument_ = argument;
    const std::string_view whole(name);
    const std::size_t length = whole.size() < sizeof name_ ? whole.size() : sizeof name_ - 1;
    __builtin_memset(name_, 0, sizeof name_);
    __builtin_memcpy(name_, whole.data(), length);

    if constexpr (kUseThreadsOfLibc) {
        const AllSignalsBlocked blocked;
        pthread_t thread{};
        if (const int refused = ::pthread_create(&thread, nullptr, &RawThreadEntry::run_as_pthread, this); refused != 0) {
            return fail_with(Errc::limit_reached, 0, refused);
        }
        pthread_ = thread;
        started_ = true;
        return {};
    }

    const detail::StaticTlsPlan& plan = detail::static_tls_plan();
    const std::size_t stack = round_to_pages(stack_bytes);
    mapping_bytes_ = kPageBytes + stack + plan.mapping_bytes();
    mapping_ = map_observer_pages(mapping_bytes_, "heapwright thread");
    if (mapping_ == nullptr) {
        return fail_with(Errc::out_of_memory, mapping_bytes_);
    }
    auto* bottom = static_cast<std::byte*>(mapping_);
    static_cast<void>(raw_syscall(SYS_mprotect, bottom, kPageBytes, PROT_NONE));
    std::byte* stack_top = bottom + kPageBytes + stack;
    void* thread_pointer = plan.lay_out(stack_top);

    long result = 0;
    {
        const AllSignalsBlocked blocked;  // inherited by the new thread, lifted again here
        constexpr unsigned long kFlags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS |
                                         CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
        result = heapwright_raw_clone(kFlags, stack_top, &tid_, &tid_, thread_pointer, this);
    }
    if (is_failure(result)) {
        release(mapping_, mapping_bytes_);
        mapping_ = nullptr;
        return fail_with(errno_of(result) == EPERM ? Errc::permission_denied : Errc::limit_reached, 0, errno_of(result));
    }
    started_ = true;
    return {};
}

void RawThread::join() noexcept {
    if (!started_) {
        return;
    }
    if constexpr (kUseThreadsOfLibc) {
        ::pthread_join(pthread_, nullptr);
    } else {
        // The kernel clears the word and wakes its sleepers when the thread has left its stack for good. Acquire pairs
        // with that store: what the thread wrote is seen. Not a private futex: the kernel wakes the shared kind.
        for (std::uint32_t tid = tid_.load(std::memory_order_acquire); tid != 0; tid = tid_.load(std::memory_order_acquire)) {
            static_cast<void>(raw_syscall(SYS_futex, &tid_, FUTEX_WAIT, tid, nullptr, nullptr, 0));
        }
        release(mapping_, mapping_bytes_);
        mapping_ = nullptr;
    }
    started_ = false;
}

void RawThread::forget_after_fork() noexcept {
    if (mapping_ != nullptr) {
        release(mapping_, mapping_bytes_);
        mapping_ = nullptr;
    }
    // Relaxed: the child of fork has one thread.
    tid_.store(0, std::memory_order_relaxed);
    started_ = false;
}

const char* RawThread::broken_invariant() const noexcept {
    if (!kUseThreadsOfLibc && started_ && mapping_ == nullptr) {
        return "RT1: a started thread has no stack";
    }
    if (!started_ && (mapping_ != nullptr || tid() != 0)) {
        return "RT2: a thread that is not started has a stack or an id";
    }
    return nullptr;
}

}  // namespace heapwright::os

void heapwright_raw_thread_main(heapwright::os::RawThread* thread) noexcept { heapwright::os::RawThreadEntry::run(thread); }
