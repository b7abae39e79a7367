// Blocks that live long between many that do not: what pins pages. Prints what stayed resident, for a plan to improve.
//
// usage: lifetimes peak|wrapped|framed|through_library|threads|hold|plugin LIBRARY
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <thread>
#include <vector>

#include <dlfcn.h>
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr std::size_t kPeakBytes = std::size_t{96} << 20;
constexpr unsigned kLastingShare = 16;  // one block in so many

struct Link {
    Link* next;
    std::uint64_t mark;
};

/// A table with a room of its own, so that the program's own book-keeping is in no plan's way.
void push(Link*& list, void* block, std::size_t bytes) {
    std::memset(block, 0x5A, bytes);
    auto* const link = static_cast<Link*>(block);
    link->next = list;
    link->mark = 42;
    list = link;
}

std::size_t size_of(std::uint64_t number) { return 24 + (number * 0x9E37'79B9U >> 20U) % 200; }

}  // namespace

// The sites: a test finds them by these names.
extern "C" {
void* make_in_library(std::size_t bytes);  // wrapper.cpp

__attribute__((noinline)) void* make_passing_in_library(std::size_t bytes) {
    void* const block = make_in_library(bytes);
    asm volatile("" : : "r"(block) : "memory");
    return block;
}
__attribute__((noinline)) void* make_lasting_in_library(std::size_t bytes) {
    void* const block = make_in_library(bytes);
    asm volatile("" : : "r"(block) : "memory");
    return block;
}
__attribute__((noinline)) void* make_passing(std::size_t bytes) {
    void* const block = malloc(bytes);
    asm volatile("" : : "r"(block) : "memory");  // a call, and no jump
    return block;
}
__attribute__((noinline)) void* make_lasting(std::size_t bytes) {
    void* const block = malloc(bytes);
    asm volatile("" : : "r"(block) : "memory");
    return block;
}
__attribute__((noinline)) void* make_wrapped(std::size_t bytes) {  // what hides the sites in many programs
    void* const block = malloc(bytes);
    asm volatile("" : : "r"(block) : "memory");
    return block;
}
__attribute__((noinline)) void* make_wrapped_passing(std::size_t bytes) {
    void* const block = make_wrapped(bytes);
    asm volatile("" : : "r"(block) : "memory");
    return block;
}
__attribute__((noinline)) void* make_wrapped_lasting(std::size_t bytes) {
    void* const block = make_wrapped(bytes);
    asm volatile("" : : "r"(block) : "memory");
    return block;
}
__attribute__((noinline, optimize("no-omit-frame-pointer"))) void* make_framed(std::size_t bytes) {  // its frame is found by rbp
    void* const block = make_wrapped(bytes);
    asm volatile("" : : "r"(block) : "memory");
    return block;
}
}

namespace {

long resident_bytes() {
    std::FILE* const file = std::fopen("/proc/self/statm", "r");
    long pages = 0;
    long resident = 0;
    const bool is_read = file != nullptr && std::fscanf(file, "%ld %ld", &pages, &resident) == 2;
    if (file != nullptr) {
        std::fclose(file);
    }
    return is_read ? resident * 4096 : 0;
}

void release_all(Link*& list) {
    while (list != nullptr) {
        Link* const link = list;
        list = link->next;
        if (link->mark != 42) {
            std::abort();
        }
        std::free(link);
    }
}

using Maker = void*(std::size_t);

/// To the peak and back; what is resident then, beside what lives.
int peak(Maker* passing, Maker* lasting) {
    const long before = resident_bytes();
    Link* passing_list = nullptr;
    Link* lasting_list = nullptr;
    std::size_t bytes = 0;
    std::size_t live = 0;
    for (std::uint64_t number = 0; bytes < kPeakBytes; ++number) {
        const std::size_t size = size_of(number);
        const bool lasts = number % kLastingShare == 0;
        push(lasts ? lasting_list : passing_list, lasts ? lasting(size) : passing(size), size);
        bytes += size;
        live += lasts ? size : 0;
    }
    const long peak = resident_bytes();
    release_all(passing_list);
    malloc_trim(0);
    const long after = resident_bytes();
    std::printf("{\"live\": %zu, \"peak\": %ld, \"after\": %ld}\n", live, peak - before, after - before);
    release_all(lasting_list);
    return 0;
}

/// One thread makes, others free; then a child goes on.
int threads() {
    for (unsigned round = 0; round < 20; ++round) {
        std::vector<Link*> lists(4, nullptr);
        for (unsigned number = 0; number < 20'000; ++number) {
            const std::size_t size = size_of(number);
            push(lists[number % lists.size()], number % 5 == 0 ? make_lasting(size) : make_passing(size), size);
        }
        std::vector<std::thread> others;
        for (Link*& list : lists) {
            others.emplace_back([&list] {
                release_all(list);
                for (unsigned number = 0; number < 2000; ++number) {
                    push(list, make_passing(size_of(number)), size_of(number));
                }
            });
        }
        for (std::thread& other : others) {
            other.join();
        }
        for (Link*& list : lists) {
            release_all(list);
        }
    }
    const pid_t child = fork();
    if (child == 0) {
        Link* list = nullptr;
        for (unsigned number = 0; number < 20'000; ++number) {
            push(list, make_passing(size_of(number)), size_of(number));
        }
        release_all(list);
        _exit(0);
    }
    int status = 1;
    return waitpid(child, &status, 0) == child && status == 0 ? 0 : 1;
}

/// Stands still with blocks of both kinds until a line comes, to be looked at from outside.
int hold() {
    Link* passing_list = nullptr;
    Link* lasting_list = nullptr;
    for (std::uint64_t number = 0; number < 40'000; ++number) {
        push(number % 4 == 0 ? lasting_list : passing_list, number % 4 == 0 ? make_lasting(200) : make_passing(200), 200);
    }
    for (unsigned number = 0; number < 20'000; ++number) {
        Link* const link = passing_list;
        passing_list = link->next;
        std::free(link);
    }
    std::puts("ready");
    std::fflush(stdout);
    static_cast<void>(std::getchar());
    release_all(passing_list);
    release_all(lasting_list);
    return 0;
}

/// Blocks that code of a library asks for, which is loaded late.
int plugin(const char* path) {
    void* const library = dlopen(path, RTLD_NOW);
    auto* const enter = library == nullptr ? nullptr : reinterpret_cast<int (*)(int)>(dlsym(library, "plugin_entry"));
    if (enter == nullptr) {
        std::fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    return enter(0) + dlclose(library);
}

}  // namespace

int main(int count, char** words) {
    const std::string_view mode = count > 1 ? words[1] : "";
    if (mode == "peak") {
        return peak(make_passing, make_lasting);
    }
    if (mode == "wrapped") {
        return peak(make_wrapped_passing, make_wrapped_lasting);
    }
    if (mode == "framed") {
        return peak(make_framed, make_wrapped_lasting);
    }
    if (mode == "through_library") {
        return peak(make_passing_in_library, make_lasting_in_library);
    }
    if (mode == "threads") {
        return threads();
    }
    if (mode == "hold") {
        return hold();
    }
    if (mode == "plugin" && count > 2) {
        return plugin(words[2]);
    }
    std::fputs("usage: lifetimes peak|wrapped|framed|through_library|threads|hold|plugin LIBRARY\n", stderr);
    return 2;
}
