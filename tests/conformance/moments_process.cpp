// The beginning and the end of a process, its libraries, its limits, and its mistakes.
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

#include <dlfcn.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "moments.hpp"

namespace moments {

namespace {

// Before main: an array of the loader's, a constructor before all others, and an object of the language.
void* early_blocks[3];

void allocate_in_preinit() { early_blocks[0] = std::malloc(100); }
__attribute__((section(".preinit_array"), used)) void (*preinit_entry)() = allocate_in_preinit;
__attribute__((constructor(101))) void allocate_in_constructor() { early_blocks[1] = std::calloc(10, 20000); }

struct Global {
    Global() : block(std::malloc(300)), text(std::string(100, 'x')) { early_blocks[2] = std::malloc(1 << 20); }
    ~Global() {
        std::free(block);
        void* late = std::malloc(5000);
        std::memset(late, 1, 5000);
        std::free(late);
    }
    void* block;
    std::string text;
};
Global global;

void* kept_for_exit = nullptr;

void allocate_at_exit() {
    std::free(kept_for_exit);
    kept_for_exit = std::malloc(100);
    if (!work(13, 2000)) {
        _exit(9);
    }
    // Words for the test: this handler ran to its end.
    static constexpr char kDone[] = "exit handler done\n";
    static_cast<void>(!write(1, kDone, sizeof(kDone) - 1));
}
__attribute__((destructor(101))) void allocate_in_destructor() {
    std::free(kept_for_exit);
    void* block = std::malloc(100000);
    std::memset(block, 1, 100000);
    std::free(block);
}

/// The most blocks of a size until there is no more; all are written to, counted, and released.
std::size_t fill_up(std::size_t size) {
    struct Link {
        Link* next;
    };
    Link* list = nullptr;
    std::size_t count = 0;
    errno = 0;
    while (auto* block = static_cast<Link*>(std::malloc(size))) {
        block->next = list;
        list = block;
        static_cast<char*>(static_cast<void*>(block))[size - 1] = 1;
        ++count;
    }
    const bool said_so = errno == ENOMEM;
    bool threw = false;
    try {
        ::operator delete(::operator new(size * 8));
    } catch (const std::bad_alloc&) {
        threw = true;
    }
    while (list != nullptr) {
        Link* next = list->next;
        std::free(list);
        list = next;
    }
    return said_so && (threw || size < 4096) ? count : 0;
}

std::size_t kib_of(const char* line_begin) {
    std::FILE* file = std::fopen("/proc/self/status", "r");
    char line[256];
    std::size_t kib = 0;
    while (file != nullptr && std::fgets(line, sizeof(line), file) != nullptr) {
        if (std::strncmp(line, line_begin, std::strlen(line_begin)) == 0) {
            kib = std::strtoul(line + std::strlen(line_begin), nullptr, 10);
        }
    }
    if (file != nullptr) {
        std::fclose(file);
    }
    return kib;
}

void set_limit(decltype(RLIMIT_AS) which, std::size_t bytes) {
    rlimit limit{};
    getrlimit(which, &limit);
    limit.rlim_cur = bytes;
    setrlimit(which, &limit);
}

void nap(long ms) {
    const timespec time{.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&time, nullptr);
}

}  // namespace

int before_main(int, char**) {
    for (void* block : early_blocks) {
        if (block == nullptr) {
            return complain("no memory before main");
        }
        std::memset(block, 1, 100);
        std::free(block);
    }
    return global.text == std::string(100, 'x') ? 0 : complain("a string changed");
}

int exit_handlers(int, char**) {
    kept_for_exit = std::malloc(200);
    std::atexit(allocate_at_exit);
    return 0;
}

/// word[0]: the plugin's file.
int load_and_unload(int words, char** word) {
    if (words < 1) {
        return 2;
    }
    using Take = void*(std::size_t);
    using Give = void(void*);
    for (int round = 0; round < 300; ++round) {
        void* library = dlopen(word[0], RTLD_NOW | (round % 2 == 0 ? RTLD_LOCAL : RTLD_GLOBAL));
        if (library == nullptr) {
            return complain(dlerror());
        }
        auto* take = reinterpret_cast<Take*>(dlsym(library, "plugin_take"));
        auto* give = reinterpret_cast<Give*>(dlsym(library, "plugin_give"));
        void* outlives = take(700);
        std::memset(outlives, 1, 700);
        give(std::malloc(4000));
        pthread_t thread;
        pthread_create(&thread, nullptr, reinterpret_cast<void* (*)(void*)>(dlsym(library, "plugin_thread")), nullptr);
        pthread_join(thread, nullptr);
        dlclose(library);
        std::free(outlives);
    }
    return work(3, 2000) ? 0 : complain("blocks changed");
}

/// To be run under `ulimit -v`. word[0]: MiB that must be had at least.
int out_of_addresses(int words, char** word) {
    const std::size_t least_mib = words > 0 ? std::strtoul(word[0], nullptr, 10) : 100;
    for (int round = 0; round < 3; ++round) {
        for (const std::size_t size : {std::size_t{100}, std::size_t{5000}, std::size_t{100000}, std::size_t{10} << 20}) {
            const std::size_t mib = fill_up(size) * size >> 20;
            if (mib < least_mib) {
                return complain("too little could be had; MiB", mib);
            }
        }
    }
    return work(3, 5000) ? 0 : complain("blocks changed");
}

/// Every mapping, or every page made writable, is refused from some moment on; later, all is well again.
int out_of_memory_at_every_step(int words, char** word) {
    const bool addresses = words > 0 && std::strcmp(word[0], "addresses") == 0;
    const auto which = addresses ? RLIMIT_AS : RLIMIT_DATA;
    const char* line = addresses ? "VmSize:" : "VmData:";
    for (std::size_t spare = 0; spare < std::size_t{24} << 20; spare += spare < 400000 ? 4096 * 5 : 1300000) {
        const std::size_t now = kib_of(line) * 1024;
        set_limit(which, now + spare);
        for (const std::size_t size : {std::size_t{40}, std::size_t{3000}, std::size_t{40000}, std::size_t{900000}}) {
            void* blocks[400];
            for (void*& block : blocks) {
                block = std::malloc(size);
                if (block == nullptr && errno != ENOMEM) {
                    return complain("no memory, and errno is", static_cast<std::uint64_t>(errno));
                }
                void* aligned = nullptr;
                if (posix_memalign(&aligned, 8192, size) == 0) {
                    std::memset(aligned, 1, size);
                }
                std::free(aligned);
                if (void* moved = block == nullptr ? nullptr : std::realloc(block, size + size / 2); moved != nullptr) {
                    block = moved;
                    std::memset(block, 1, size + size / 2);
                }
            }
            for (void* block : blocks) {
                std::free(block);
            }
        }
        set_limit(which, RLIM_INFINITY);
        if (!work(static_cast<std::uint32_t>(spare), 3000)) {
            return complain("after memory had run out, blocks changed or were refused; spare bytes", spare);
        }
    }
    return 0;
}

/// After a peak, most of what is free goes back without any further call.
int give_back_by_the_clock(int, char**) {
    constexpr std::size_t kCount = 100000;
    static void* blocks[kCount];
    const std::size_t before = resident_kib();
    for (void*& block : blocks) {
        block = std::malloc(1000);
        std::memset(block, 1, 1000);
    }
    const std::size_t full = resident_kib();
    for (void* block : blocks) {
        std::free(block);
    }
    for (int turn = 0; turn < 100; ++turn) {
        nap(100);
        if (resident_kib() < before + (full - before) / 10) {
            return 0;
        }
    }
    return complain("ten seconds later there are still KiB resident", resident_kib() - before);
}

/// word[0]: which mistake. Announces it by a line, because what follows is death.
int wrong_pointer(int words, char** word) {
    const std::string which = words > 0 ? word[0] : "";
    auto* medium = static_cast<char*>(std::malloc(20000));
    auto* large = static_cast<char*>(std::malloc(1 << 20));
    static char global_bytes[256];
    char local_bytes[256];
    std::memset(local_bytes, 0, sizeof(local_bytes));
    void* const mapping = mmap(nullptr, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    std::puts("before");
    std::fflush(stdout);
    volatile std::uintptr_t hidden = 0;
    if (which == "stack") {
        hidden = reinterpret_cast<std::uintptr_t>(local_bytes + 64);
    } else if (which == "global") {
        hidden = reinterpret_cast<std::uintptr_t>(global_bytes + 64);
    } else if (which == "mapping") {
        hidden = reinterpret_cast<std::uintptr_t>(mapping) + 64;
    } else if (which == "interior of a large block") {
        hidden = reinterpret_cast<std::uintptr_t>(large) + 8192;
    } else if (which == "interior of another thread's block") {
        hidden = reinterpret_cast<std::uintptr_t>(medium) + 48;
    } else if (which == "number") {
        hidden = 0x1230;
    } else if (which == "large block twice") {
        std::free(large);
        hidden = reinterpret_cast<std::uintptr_t>(large);
    } else {
        return 2;
    }
    if (which == "interior of another thread's block") {
        pthread_t thread;
        const auto release = [](void* raw) -> void* {
            std::free(raw);
            return nullptr;
        };
        pthread_create(&thread, nullptr, release, reinterpret_cast<void*>(hidden));
        pthread_join(thread, nullptr);
    } else {
        std::free(reinterpret_cast<void*>(hidden));
    }
    std::puts("after");
    return 0;
}

}  // namespace moments
