// What an allocator keeps, in MiB, at the moments that users complain of. One probe a run; prints `name=value` pairs in one line.
// Usage: probes base|burst|frag|threxit|idlethr|prodcons|large|realloc|aligned [scale]
#include <algorithm>
#include <array>
#include <barrier>
#include <chrono>
#include <string_view>

#include <time.h>

#include <bench/malloc/handover.hpp>
#include <bench/malloc/resident.hpp>
#include <bench/malloc/workload.hpp>

namespace {

using workload::Block;
using workload::Random;
using workload::Scale;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

double processor_seconds() {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

void print_ms(const char* name, Clock::time_point begin) { std::printf("%s=%.0f ", name, seconds_since(begin) * 1000); }

void print_resident(const char* name) { std::printf("%s=%.1f ", name, static_cast<double>(workload::resident_kib()) / 1024); }

void print_lazy() {
    const std::size_t kib = workload::lazily_freed_kib();
    if (kib >= 1024) {
        std::printf("lazy=%.1f ", static_cast<double>(kib) / 1024);
    }
}

void sleep_ms(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds{ms}); }

std::size_t mappings() {
    static char text[1U << 16U];
    std::size_t lines = 0;
    std::FILE* maps = std::fopen("/proc/self/maps", "r");
    while (maps != nullptr && std::fgets(text, sizeof text, maps) != nullptr) {
        ++lines;
    }
    if (maps != nullptr) {
        std::fclose(maps);
    }
    return lines;
}

void fill(std::vector<Block>& live, std::size_t bytes, std::size_t least, std::size_t most, Random& random) {
    for (std::size_t filled = 0; filled < bytes; filled += live.back().size) {
        live.push_back(workload::make(random.size_between(least, most), filled));
    }
}

void clear(std::vector<Block>& live) {
    for (Block& block : live) {
        workload::release(block);
    }
    std::vector<Block>{}.swap(live);  // the list itself is not to be counted among what the allocator keeps
}

void base(const Scale&) {
    std::free(workload::given(std::malloc(100)));
    print_resident("rss");
    std::printf("vsz=%.0f ", static_cast<double>(workload::addresses_kib()) / 1024);
    std::printf("vmas=%zu ", mappings());
}

void burst(const Scale& scale) {
    auto begin = Clock::now();
    std::array<std::vector<Block>, 2> live;
    std::barrier filled{3};
    std::barrier measured{3};
    std::vector<std::thread> threads;
    for (unsigned index = 0; index < 2; ++index) {
        live[index].reserve(scale.of(1'500'000));
        threads.emplace_back([&, index] {
            Random random{index};
            fill(live[index], scale.of(150U << 20U), 16, 512, random);
            filled.arrive_and_wait();
            measured.arrive_and_wait();
            clear(live[index]);
            filled.arrive_and_wait();
            measured.arrive_and_wait();  // both stay until the idle second is over
        });
    }
    filled.arrive_and_wait();
    print_ms("alloc_ms", begin);
    const auto peak = static_cast<double>(workload::resident_kib());
    std::printf("peak=%.1f ", peak / 1024);
    begin = Clock::now();
    measured.arrive_and_wait();
    filled.arrive_and_wait();
    print_ms("free_ms", begin);
    print_resident("freed");
    const double before = processor_seconds();
    sleep_ms(1000);
    std::printf("idle_cpu%%=%.1f ", (processor_seconds() - before) * 100);
    print_resident("idle1s");
    std::printf("share=%.2f ", static_cast<double>(workload::resident_kib()) / peak);
    begin = Clock::now();
    while (seconds_since(begin) < 1.0) {  // light activity: some work every few milliseconds
        std::vector<Block> few;
        Random random{9};
        fill(few, 100'000, 16, 512, random);
        clear(few);
        sleep_ms(5);
    }
    print_resident("act1s");
    print_lazy();
    measured.arrive_and_wait();
    for (std::thread& thread : threads) {
        thread.join();
    }
    print_resident("joined");
}

void frag(const Scale& scale) {
    Random random{1};
    std::vector<Block> live;
    live.reserve(scale.of(2'000'000));
    fill(live, scale.of(200U << 20U), 16, 512, random);
    print_resident("peak");
    workload::shuffle(live, random);
    const auto begin = Clock::now();
    for (const std::size_t stay = live.size() / 10; live.size() > stay; live.pop_back()) {
        workload::release(live.back());
    }
    print_ms("free_ms", begin);
    print_resident("after90%free");
    sleep_ms(1500);
    print_resident("1.5s");
    fill(live, scale.of(100U << 20U), 2048, 4096, random);
    print_resident("+100MiB_2-4KiB");
    fill(live, scale.of(80U << 20U), 16, 512, random);
    print_resident("+80MiB_small");
    print_lazy();
}

void threxit(const Scale& scale) {
    const auto begin = Clock::now();
    std::vector<Block> left;
    for (std::size_t i = 0; i < scale.of(1000); ++i) {
        std::thread{[&left, i] {
            Random random{i};
            std::vector<Block> own;
            fill(own, 200'000, 16, 1024, random);
            left.insert(left.end(), own.end() - 50, own.end());  // these outlive the thread
            own.resize(own.size() - 50);
            clear(own);
        }}.join();
    }
    print_ms("ms", begin);
    print_resident("after");
    clear(left);
    print_resident("freed_by_main");
    sleep_ms(1000);
    print_resident("1s");
    std::printf("vsz=%.0f ", static_cast<double>(workload::addresses_kib()) / 1024);
}

void idlethr(const Scale& scale) {
    std::barrier used{65};
    std::barrier over{65};
    std::vector<std::thread> threads;
    for (unsigned index = 0; index < 64; ++index) {
        threads.emplace_back([&, index] {
            Random random{index};
            std::vector<Block> own;
            fill(own, scale.of(3U << 20U), 16, 2048, random);
            workload::shuffle(own, random);
            clear(own);
            used.arrive_and_wait();
            over.arrive_and_wait();
        });
    }
    used.arrive_and_wait();
    print_resident("idle64");
    sleep_ms(1000);
    print_resident("1s");
    std::printf("vsz=%.0f vmas=%zu ", static_cast<double>(workload::addresses_kib()) / 1024, mappings());
    over.arrive_and_wait();
    for (std::thread& thread : threads) {
        thread.join();
    }
    print_resident("exited");
    print_lazy();
}

void prodcons(const Scale& scale) {
    static workload::Handover<Block> queue;
    const auto begin = Clock::now();
    workload::in_threads(2, [&](unsigned index) {
        Random random{2};
        for (std::size_t i = 0; i < scale.of(1'000'000); ++i) {
            if (index == 0) {
                queue.send(workload::make(random.size_between(16, 512), i));
            } else {
                Block block = queue.receive();
                workload::release(block);
            }
        }
        return 0U;
    });
    print_ms("ms", begin);
    print_resident("end");
}

void large(const Scale& scale) {
    const auto begin = Clock::now();
    Random random{3};
    std::array<Block, 10> live{};
    std::size_t requested = 0;
    std::size_t most = 0;
    for (std::size_t i = 0; i < scale.of(400, 20); ++i) {
        Block& place = live[random.below(live.size())];
        requested -= place.at == nullptr ? 0 : place.size;
        std::free(place.at);
        const std::size_t size = (5U << 20U) + random.below(20U << 20U);
        place = {workload::given(std::malloc(size)), size};
        workload::mark_pages(place.at, size, i);
        requested += size;
        most = std::max(most, requested);
    }
    print_ms("ms", begin);
    std::printf("requested_peak=%.0f rss_peak=%.1f ", static_cast<double>(most >> 20U), static_cast<double>(workload::peak_kib()) / 1024);
    for (const Block& block : live) {
        std::free(block.at);
    }
    print_resident("freed");
    sleep_ms(1000);
    print_resident("1s");
    print_lazy();
}

void grow_by_realloc(const Scale& scale) {
    const auto begin = Clock::now();
    Random random{4};
    std::vector<Block> buffers(40);
    for (std::size_t i = 0; i < scale.of(6000, 100); ++i) {
        Block& buffer = buffers[random.below(buffers.size())];
        const bool full = buffer.size > (16U << 20U);
        const std::size_t size = full ? 64 : buffer.size == 0 ? 64 : buffer.size + buffer.size / 2;
        const std::size_t old_size = full ? size : buffer.size;
        buffer = {workload::given(std::realloc(buffer.at, size)), size};
        for (std::size_t at = old_size; at + 16 <= size; at += 4096) {
            workload::store(static_cast<char*>(buffer.at) + at, i);
        }
        workload::mark(buffer.at, size, i);
    }
    print_ms("ms", begin);
    std::printf("rss_peak=%.1f ", static_cast<double>(workload::peak_kib()) / 1024);
    for (const Block& buffer : buffers) {
        std::free(buffer.at);
    }
    print_resident("end");
    sleep_ms(1000);
    print_resident("1s");
    print_lazy();
}

void aligned(const Scale& scale) {
    const auto begin = Clock::now();
    Random random{5};
    std::vector<Block> live;
    std::size_t requested = 0;
    for (std::size_t i = 0; i < scale.of(60'000); ++i) {
        const std::size_t alignment = std::size_t{64} << random.below(7);
        const std::size_t size = alignment * (1 + random.below(3));
        live.push_back({workload::given(std::aligned_alloc(alignment, size)), size});
        workload::mark_pages(live.back().at, size, i);
        requested += size;
    }
    print_ms("ms", begin);
    std::printf("requested=%.1f ", static_cast<double>(requested) / (1U << 20U));
    print_resident("rss");
    for (const Block& block : live) {
        std::free(block.at);
    }
}

struct Probe {
    std::string_view name;
    void (*run)(const Scale&);
};

constexpr std::array<Probe, 9> kProbes{{{"base", base},
                                        {"burst", burst},
                                        {"frag", frag},
                                        {"threxit", threxit},
                                        {"idlethr", idlethr},
                                        {"prodcons", prodcons},
                                        {"large", large},
                                        {"realloc", grow_by_realloc},
                                        {"aligned", aligned}}};

}  // namespace

int main(int count, char** words) {
    const auto* probe = std::find_if(kProbes.begin(), kProbes.end(), [&](const Probe& one) { return count > 1 && one.name == words[1]; });
    if (probe == kProbes.end()) {
        workload::fail("no such probe; see the head of probes.cpp");
    }
    probe->run(Scale{count - 1, words + 1});
    std::puts("");
    return 0;
}
