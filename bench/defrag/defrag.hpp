// What every workload shares: stamped objects, what the process has in memory, the allocator's own trim, and the lines it prints.
//
// The workload keeps what it knows of its objects in mappings of its own, made and touched before the first object, so that
// physical memory less what it was then is the allocator's alone.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bench/defrag/clocks.hpp>
#include <bench/defrag/longest.hpp>
#include <bench/malloc/workload.hpp>

namespace defrag {

using workload::fail;
using workload::mixed;

class Random : public workload::Random {
public:
    using workload::Random::Random;
    /// In [least, 2 * most): every doubling is equally likely; `most` is a power of two times `least`.
    std::size_t size_between(std::size_t least, std::size_t most) {
        const auto doublings = static_cast<std::size_t>(__builtin_ctzll(most / least));
        const std::size_t base = least << below(doublings);
        return base + below(base);
    }
};

/// An array in a mapping of its own.
template <class T>
class Table {
public:
    explicit Table(std::size_t count) : count_{count} {
        void* const room = ::mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        if (room == MAP_FAILED) {
            fail("no memory for the workload's own table");
        }
        begin_ = static_cast<T*>(room);
    }
    Table(const Table&) = delete;
    Table& operator=(const Table&) = delete;
    ~Table() { ::munmap(begin_, count_ * sizeof(T)); }
    T& operator[](std::size_t index) { return begin_[index]; }
    [[nodiscard]] T* begin() const { return begin_; }
    [[nodiscard]] T* end() const { return begin_ + count_; }
    [[nodiscard]] std::size_t size() const { return count_; }

private:
    std::size_t count_;
    T* begin_;
};

/// An object: every byte is told by its stamp and its place.
struct Object {
    unsigned char* place = nullptr;
    std::uint32_t bytes = 0;
    std::uint32_t stamp = 0;

    [[nodiscard]] bool is_live() const { return place != nullptr; }

    void make(std::size_t wanted, std::uint32_t new_stamp) {
        place = static_cast<unsigned char*>(std::malloc(wanted));
        bytes = static_cast<std::uint32_t>(wanted);
        stamp = new_stamp;
        write_all();
    }
    /// Makes it longer where it lies or elsewhere.
    void grow(std::size_t wanted) {
        place = static_cast<unsigned char*>(std::realloc(place, wanted));
        if (place == nullptr) {
            fail("realloc gave no memory");
        }
        const std::size_t before = bytes;
        bytes = static_cast<std::uint32_t>(wanted);
        write(before);
    }
    void write_all() {
        if (place == nullptr) {
            fail("malloc gave no memory");
        }
        write(0);
    }
    void verify() const {
        for (std::size_t i = 0; i < bytes; i += 8) {
            const std::uint64_t word = word_at(i);
            if (std::memcmp(place + i, &word, std::min<std::size_t>(8, bytes - i)) != 0) {
                fail("an object lost its contents");
            }
        }
    }
    void end() {
        verify();
        std::free(place);
        place = nullptr;
    }

private:
    [[nodiscard]] std::uint64_t word_at(std::size_t i) const { return (std::uint64_t{stamp} << 32U | i) * 0x9E3779B97F4A7C15U; }
    void write(std::size_t from) {
        for (std::size_t i = from & ~std::size_t{7}; i < bytes; i += 8) {
            const std::uint64_t word = word_at(i);
            std::memcpy(place + i, &word, std::min<std::size_t>(8, bytes - i));
        }
    }
};

/// Pss_Anon and Pss_Shmem of this process. RSS would count a page twice that two addresses share.
inline std::uint64_t physical_kib() {
    static char text[4096];
    const int file = ::open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
    const ssize_t count = file < 0 ? -1 : ::read(file, text, sizeof(text) - 1);
    ::close(file);
    if (count <= 0) {
        fail("/proc/self/smaps_rollup cannot be read");
    }
    text[count] = '\0';
    std::uint64_t sum = 0;
    for (const char* name : {"Pss_Anon:", "Pss_Shmem:"}) {
        const char* const line = std::strstr(text, name);
        sum += line == nullptr ? 0 : std::strtoull(line + std::strlen(name), nullptr, 10);
    }
    return sum;
}

template <class Function>
Function* function_of(const char* name) {
    return reinterpret_cast<Function*>(::dlsym(RTLD_DEFAULT, name));
}

/// What each allocator offers to give memory back at once.
inline void trim() {
    if (auto* const mallctl = function_of<int(const char*, void*, std::size_t*, void*, std::size_t)>("mallctl"); mallctl != nullptr) {
        mallctl("thread.tcache.flush", nullptr, nullptr, nullptr, 0);
        mallctl("arena.4096.purge", nullptr, nullptr, nullptr, 0);  // all arenas
    } else if (auto* const collect = function_of<void(bool)>("mi_collect"); collect != nullptr) {
        collect(true);
    } else if (auto* const release = function_of<void()>("MallocExtension_ReleaseFreeMemory"); release != nullptr) {
        release();
    } else if (auto* const malloc_trim = function_of<int(std::size_t)>("malloc_trim"); malloc_trim != nullptr) {
        malloc_trim(0);
    }
}

/// How large, how long, and what is printed of each stage.
class Run {
public:
    /// Arguments: the scale, 1 unless given; milliseconds of light traffic before a stage is measured, 2000 unless given.
    Run(int count, char** words)
        : scale_{count > 1 ? std::atof(words[1]) : 1.0}, settle_ms_{count > 2 ? static_cast<unsigned>(std::atoi(words[2])) : 2000U} {
        if (scale_ <= 0.0) {
            fail("the scale is not above 0; give a number such as 0.1");
        }
    }

    [[nodiscard]] std::size_t of(std::size_t whole) const {
        return std::max<std::size_t>(static_cast<std::size_t>(static_cast<double>(whole) * scale_), 64);
    }

    /// The workload's own memory is there: what comes now is the allocator's.
    void begin() {
        std::free(std::malloc(1));
        start_kib_ = physical_kib();
        stage_begin_ns_ = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    }

    /// Settles, measures, trims, measures again. `objects` are all that live.
    void stage(const char* name, Object* first, Object* last) {
        const std::uint64_t work_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID) - stage_begin_ns_;
        longest_ = {};
        measuring_ns_ = 0;
        settle(first, last);
        touch(first, last);
        const std::uint64_t settled = measured([] { return physical_kib(); });
        const std::uint64_t before = now_ns(CLOCK_MONOTONIC);
        trim();
        const std::uint64_t trim_ns = now_ns(CLOCK_MONOTONIC) - before;
        touch(first, last);
        const std::uint64_t trimmed = measured([] { return physical_kib(); });
        std::uint64_t live = 0;
        for (const Object* object = first; object != last; ++object) {
            if (object->is_live()) {
                object->verify();
                live += object->bytes;
            }
        }
        const std::uint64_t floor = measured([&] { return page_floor(first, last); });
        const std::uint64_t end = now_ns(CLOCK_PROCESS_CPUTIME_ID);
        const std::uint64_t cpu_ns = end - stage_begin_ns_ - measuring_ns_;
        stage_begin_ns_ = end;
        std::printf(
            "%s live_kib=%llu page_floor_kib=%llu settled_kib=%lld trimmed_kib=%lld longest_us=%llu longest_undisturbed_us=%llu "
            "longest_cpu_us=%llu trim_us=%llu work_cpu_ms=%llu cpu_ms=%llu measuring_cpu_ms=%llu\n",
            name, ull(live / 1024), ull(floor * 4), less_start(settled), less_start(trimmed), ull(longest_.wall_ns() / 1000),
            ull(longest_.undisturbed_ns() / 1000), ull(longest_.cpu_ns() / 1000), ull(trim_ns / 1000), ull(work_ns / 1'000'000),
            ull(cpu_ns / 1'000'000), ull(measuring_ns_ / 1'000'000));
        std::fflush(stdout);
    }

    /// Everything was freed: what is there two seconds later, without a call in between?
    void freed() { stage("freed", nullptr, nullptr); }

private:
    /// What finds a figure out is no part of the program; other threads may work meanwhile, and are.
    template <class Find>
    std::uint64_t measured(Find find) {
        const std::uint64_t before = now_ns(CLOCK_THREAD_CPUTIME_ID);
        const std::uint64_t found = find();
        measuring_ns_ += now_ns(CLOCK_THREAD_CPUTIME_ID) - before;
        return found;
    }
    static unsigned long long ull(std::uint64_t value) { return value; }
    [[nodiscard]] long long less_start(std::uint64_t kib) const { return static_cast<long long>(kib) - static_cast<long long>(start_kib_); }

    /// Reads every page of every object: memory of a file that nobody looked at yet would not count.
    static void touch(const Object* first, const Object* last) {
        unsigned sum = 0;
        for (const Object* object = first; object != last; ++object) {
            for (std::size_t i = 0; i < object->bytes && object->is_live(); i += 4096) {
                sum += static_cast<const volatile unsigned char*>(object->place)[i];
            }
        }
        static_cast<void>(sum);
    }

    /// Light traffic: objects are replaced by others of the same size. With none, the program sleeps.
    void settle(Object* first, Object* last) {
        const auto count = static_cast<std::size_t>(last - first);
        for (unsigned passed = 0; passed < settle_ms_; passed += 5) {
            ::usleep(5000);
            for (unsigned i = 0; i < 32 && count != 0; ++i) {
                Object& object = first[random_.below(count)];
                if (object.is_live()) {
                    object.verify();
                    longest_.time([&object] {
                        std::free(object.place);
                        object.place = static_cast<unsigned char*>(std::malloc(object.bytes));
                    });
                    object.write_all();
                }
            }
        }
    }

    /// OS pages with at least one live byte: no allocator that keeps addresses and pages apart can do with less.
    static std::uint64_t page_floor(const Object* first, const Object* last) {
        std::size_t most = 0;
        for (const Object* object = first; object != last; ++object) {
            most += object->is_live() ? (object->bytes + 4095) / 4096 + 1 : 0;
        }
        if (most == 0) {
            return 0;
        }
        Table<std::uintptr_t> pages(most);
        std::uintptr_t* end = pages.begin();
        for (const Object* object = first; object != last; ++object) {
            if (object->is_live()) {
                const auto begin = reinterpret_cast<std::uintptr_t>(object->place);
                for (std::uintptr_t page = begin / 4096; page <= (begin + object->bytes - 1) / 4096; ++page) {
                    *end++ = page;
                }
            }
        }
        std::sort(pages.begin(), end);
        return static_cast<std::uint64_t>(std::unique(pages.begin(), end) - pages.begin());
    }

    double scale_;
    unsigned settle_ms_;
    Random random_{99};
    std::uint64_t start_kib_ = 0;
    std::uint64_t stage_begin_ns_ = 0;  // of processor time, when the last stage was measured
    std::uint64_t measuring_ns_ = 0;    // of processor time in this stage
    Longest longest_;
};

inline void end_all(Object* first, Object* last) {
    for (Object* object = first; object != last; ++object) {
        if (object->is_live()) {
            object->end();
        }
    }
}

}  // namespace defrag
