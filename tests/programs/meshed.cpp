// What a program may do while its heap is meshed under it: system calls that write into blocks, children, memory and mappings that end.
// Its libheapwright.so is preloaded with compaction:mesh; without one it runs all the same and proves nothing.
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string_view>
#include <thread>

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "survivors.hpp"

extern char** environ;

namespace {

using meshed::Compactor;
using meshed::fail;
using meshed::Survivors;

/// Each call writes into blocks of which pages may be away at that moment.
class Calls {
public:
    Calls() {
        file_ = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        folder_ = ::open("/proc/self/fdinfo", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (file_ < 0 || folder_ < 0 || ::pipe2(pipe_, O_CLOEXEC) != 0 ||
            ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socket_) != 0) {
            fail("descriptors");
        }
        for (std::size_t i = 0; i < sizeof(beginning_); i += sizeof(long)) {
            if (::pread(file_, beginning_ + i, sizeof(long), static_cast<off_t>(i)) != sizeof(long)) {
                fail("the program's own file");
            }
        }
    }
    void make(Survivors& survivors) {
        Survivors::Block& one = survivors.any();
        Survivors::Block& other = survivors.any();
        switch (survivors.next() % 7) {
            case 0: expect(::pread(file_, one.words, 64, 0), one.words, 64, "pread"); break;
            case 1: {
                const Halves halves(one, other);
                expect(::preadv(file_, halves.parts, 2, 0), halves, "preadv");
                break;
            }
            case 2:
                send(pipe_[1]);
                expect(::read(pipe_[0], one.words, 64), one.words, 64, "read of a pipe");
                break;
            case 3:
                send(socket_[1]);
                expect(::recv(socket_[0], one.words, 64, MSG_WAITALL), one.words, 64, "recv");
                break;
            case 4: {
                send(pipe_[1]);
                const Halves halves(one, other);
                expect(::readv(pipe_[0], halves.parts, 2), halves, "readv of a pipe");
                break;
            }
            case 5: {
                send(socket_[1]);
                Halves halves(one, other);
                msghdr message{};
                message.msg_iov = halves.parts;
                message.msg_iovlen = 2;
                expect(::recvmsg(socket_[0], &message, MSG_WAITALL), halves, "recvmsg");
                break;
            }
            default:
                ::lseek(folder_, 0, SEEK_SET);
                if (::syscall(SYS_getdents64, folder_, one.words, one.count * 8) < 24) {
                    fail("getdents64");
                }
        }
        one.write();
        other.write();
    }

private:
    /// 32 bytes to each of two blocks, of which one may be the other: so not to the same ones.
    struct Halves {
        Halves(Survivors::Block& one, Survivors::Block& other)
            : parts{{.iov_base = one.words, .iov_len = 32}, {.iov_base = other.words + 4, .iov_len = 32}} {}
        iovec parts[2];
    };
    void send(int descriptor) {
        if (::write(descriptor, beginning_, 64) != 64) {
            fail("write");
        }
    }
    /// The call gave 64 bytes, of which so many lie there.
    void expect(ssize_t result, const void* where, std::size_t bytes, const char* what) {
        if (result != 64 || std::memcmp(where, beginning_, bytes) != 0) {
            fail(what);
        }
    }
    void expect(ssize_t result, const Halves& halves, const char* what) {
        expect(result, halves.parts[0].iov_base, 32, what);
        if (std::memcmp(halves.parts[1].iov_base, beginning_ + 32, 32) != 0) {
            fail(what);
        }
    }
    int file_ = -1;
    int folder_ = -1;
    int pipe_[2] = {-1, -1};
    int socket_[2] = {-1, -1};
    unsigned char beginning_[64] = {};
};

void play_calls(std::size_t count) {
    Survivors survivors(60'000, 8, 1);
    Calls calls;
    const Compactor compactor;
    for (std::size_t call = 0; call < count; ++call) {
        calls.make(survivors);
        if (call % 16 == 0) {
            survivors.replace(survivors.any());
        }
    }
    survivors.verify("a block lost its contents");
}

void expect_good(pid_t child) {
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) != child || status != 0) {
        fail("a child");
    }
}

/// Children of fork that look at every byte and free all, children of vfork and exec, while two threads allocate.
void play_children(std::size_t count) {
    Survivors survivors(30'000, 8, 2);
    const Compactor compactor;
    std::atomic<bool> is_over{false};
    std::thread other([&] {
        Survivors own(20'000, 6, 3);
        while (!is_over.load()) {
            own.replace(own.any());
        }
        own.verify("a block of the other thread lost its contents");
    });
    const char* const words[] = {"/bin/true", nullptr};
    for (std::size_t child = 0; child < count; ++child) {
        survivors.replace(survivors.any());
        pid_t made = 0;
        if (child % 2 == 0) {
            made = ::fork();
            if (made == 0) {
                const bool is_good = survivors.are_intact();
                for (std::size_t i = 0; i < 100; ++i) {
                    survivors.replace(survivors.any());
                }
                ::_exit(is_good && survivors.are_intact() ? 0 : 1);
            }
        } else if (::posix_spawn(&made, words[0], nullptr, nullptr, const_cast<char**>(words), environ) != 0) {
            fail("posix_spawn");
        }
        expect_good(made);
    }
    is_over.store(true);
    other.join();
    survivors.verify("a block lost its contents");
}

/// Its children live on when it is killed in the middle of meshing. They tell how they are by a pipe.
void play_killed() {
    Survivors survivors(30'000, 8, 4);
    const Compactor compactor;
    for (int round = 0;; ++round) {
        const pid_t child = ::fork();
        if (child == 0) {
            ::usleep(20'000);
            const char said = survivors.are_intact() ? '.' : 'X';
            static_cast<void>(::write(STDOUT_FILENO, &said, 1));
            ::_exit(0);
        }
        ::usleep(2000);
        survivors.replace(survivors.any());
        while (::waitpid(-1, nullptr, WNOHANG) > 0) {}
    }
}

/// Where addresses end, or mappings, blocks are refused and none is lost.
void take_all_addresses() {
    rlimit limit{};
    ::getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = std::size_t{6} << 30;  // what is reserved, and little more
    if (::setrlimit(RLIMIT_AS, &limit) != 0) {
        fail("setrlimit");
    }
    for (std::size_t bytes = std::size_t{1} << 30; bytes >= std::size_t{1} << 16; bytes /= 2) {
        while (::mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) != MAP_FAILED) {}
    }
}

/// Each second page has other rights, so that each page is a mapping; but for some that are left to be had.
void take_most_mappings() {
    const std::size_t bytes = std::size_t{400'000} * 4096;
    auto* const all = static_cast<char*>(::mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    for (std::size_t at = 4096; at < bytes && ::mprotect(all + at, 4096, PROT_READ) == 0; at += 8192) {}
    ::munmap(all, std::size_t{40} * 4096);
}

/// Where addresses end, or mappings, blocks are refused and none is lost.
void play_limit(std::string_view of) {
    Survivors survivors(60'000, 8, 5);
    const Compactor compactor;  // whose thread needs addresses, too
    if (of == "addresses") {
        take_all_addresses();
    } else {
        take_most_mappings();
    }
    survivors.verify("a block lost its contents");
    for (std::size_t i = 0; i < 20'000; ++i) {
        survivors.replace_if_possible(survivors.any());
    }
    compactor.await_passes(3);
    survivors.verify("a block lost its contents where something ended");
}

std::size_t memory_kib(pid_t process) {
    char path[64];
    std::snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", process);
    std::FILE* const file = std::fopen(path, "r");
    char line[256];
    std::size_t sum = 0;
    while (file != nullptr && std::fgets(line, sizeof(line), file) != nullptr) {
        unsigned long kib = 0;
        if (std::sscanf(line, "Pss_Anon: %lu", &kib) == 1 || std::sscanf(line, "Pss_Shmem: %lu", &kib) == 1) {
            sum += kib;
        }
    }
    if (file != nullptr) {
        std::fclose(file);
    }
    return sum;
}

/// The least processor time that one of some forks took, in microseconds, and what a child adds that reads all of a snapshot while its parent goes on.
void play_snapshot(std::size_t blocks) {
    Survivors survivors(blocks, 8, 6);
    {
        const Compactor compactor;
        compactor.await_passes(2);
    }
    std::uint64_t shortest = ~std::uint64_t{0};
    for (int i = 0; i < 40; ++i) {
        timespec before{};
        timespec after{};
        ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);  // so that it does not matter who else has the processor
        const pid_t child = ::fork();
        if (child == 0) {
            ::_exit(0);
        }
        ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
        expect_good(child);
        const auto ns = (after.tv_sec - before.tv_sec) * 1'000'000'000 + (after.tv_nsec - before.tv_nsec);
        shortest = static_cast<std::uint64_t>(ns) < shortest ? static_cast<std::uint64_t>(ns) : shortest;
    }
    survivors.verify("a block lost its contents");
    const std::size_t alone = memory_kib(::getpid());
    int done[2];
    int go[2];
    if (::pipe2(done, O_CLOEXEC) != 0 || ::pipe2(go, O_CLOEXEC) != 0) {
        fail("pipes");
    }
    char word = 0;
    const pid_t child = ::fork();
    if (child == 0) {
        const bool is_good = survivors.are_intact();
        static_cast<void>(::write(done[1], &word, 1));
        static_cast<void>(::read(go[0], &word, 1));
        ::_exit(is_good ? 0 : 1);
    }
    static_cast<void>(::read(done[0], &word, 1));
    const std::size_t both = memory_kib(::getpid()) + memory_kib(child);
    static_cast<void>(::write(go[1], &word, 1));
    expect_good(child);
    std::printf("fork_us=%llu alone_kib=%zu added_kib=%zd\n", static_cast<unsigned long long>(shortest / 1000), alone,
                static_cast<std::ptrdiff_t>(both) - static_cast<std::ptrdiff_t>(alone));
}

}  // namespace

int main(int count, char** words) {
    const std::string_view what = count > 1 ? words[1] : "";
    const std::size_t size = count > 2 ? std::strtoull(words[2], nullptr, 10) : 0;
    if (what == "calls") {
        play_calls(size);
    } else if (what == "children") {
        play_children(size);
    } else if (what == "killed") {
        play_killed();
    } else if (what == "limit" && count > 2) {
        play_limit(words[2]);
    } else if (what == "snapshot") {
        play_snapshot(size);
    } else {
        std::fprintf(stderr, "meshed calls COUNT | children COUNT | killed | limit addresses|mappings | snapshot BLOCKS\n");
        return 2;
    }
    return 0;
}
