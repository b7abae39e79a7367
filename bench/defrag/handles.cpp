// How close to what is alive does memory come that may move, how long does it take, and what does following an owner cost?
// Prints one JSON object. Every byte of every live object is verified after each stage.
//
// Usage: handles WORKLOAD OWNER [SHARE [alone]]   alone: without the two seconds of a background that compacts first
//                                           WORKLOAD stride, random, lru, doubling, arrays, server, moving, following
//                                           OWNER    handle, box        SHARE of the full size, 1 by default
#include <bench/defrag/handles.hpp>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <heapwright/os/report_by_default.hpp>
#include <heapwright/own/handle/block.hpp>
#include <heapwright/own/handle/box.hpp>
#include <heapwright/own/handle/handle.hpp>
#include <heapwright/own/handle/vector.hpp>

#include <bench/defrag/population.hpp>

namespace {

using namespace heapwright;
using bench::ByBox;
using bench::ByHandle;
using bench::Figures;
using bench::Population;
using bench::Random;

/// In the workload with pins every so manieth object has one, and none is replaced.
constexpr std::size_t kPinnedEvery = 2000;

/// A thread that ticks as a monitor would, for two seconds, while the program replaces a few objects.
template <class Owner>
void settle(MovableHeap& heap, Population<Owner>& all, Figures& figures) {
    std::atomic<bool> stops{false};
    double cpu_s = 0;
    std::thread ticker([&] {
        while (!stops.load(std::memory_order_relaxed)) {
            heap.tick();
            bench::sleep_s(0.01);
        }
        cpu_s = bench::thread_cpu_s();
    });
    Random random(77);
    double longest = 0;
    const double begin = bench::now_s();
    while (bench::now_s() - begin < 2.0) {
        for (int i = 0; i < 32; ++i) {
            const std::size_t index = random.below(all.owners.size());
            if (all.sizes[index] != 0 && index % kPinnedEvery != 0) {
                const double at = bench::now_s();
                all.make(heap, index, all.sizes[index]);
                longest = std::max(longest, bench::now_s() - at);
            }
        }
        bench::sleep_s(0.005);
    }
    stops.store(true, std::memory_order_relaxed);
    ticker.join();
    figures.add("background_cpu_percent", cpu_s / 2.0 * 100);
    figures.add("background_longest_operation_ms", longest * 1e3);
}

bool with_background = true;

/// What the program sees: memory before, after two seconds of the background alone, after compact(), after renaming.
template <class Owner>
void stages(MovableHeap& heap, Population<Owner>& all, std::size_t start, Figures& figures, std::vector<Pin<std::byte>> pins = {}) {
    const auto ratio = [&](const char* stage) {
        const double physical = static_cast<double>(bench::physical_bytes()) - static_cast<double>(start);
        figures.add(std::string(stage) + "_mib", physical / (1 << 20));
        figures.add(stage, physical / static_cast<double>(all.live));
    };
    figures.add("live_mib", static_cast<double>(all.live) / (1 << 20));
    ratio("before");
    if (with_background) {
        settle(heap, all, figures);
        ratio("background");
    }
    std::vector<double> steps_ms;
    double moved = 0;
    const double begin = bench::now_s();
    for (bool finished = false; !finished;) {
        const auto result = heap.compact(300'000);
        finished = !result || result->is_finished;
        if (result) {
            steps_ms.push_back(static_cast<double>(result->longest_step_ns) * 1e-6);
            moved += static_cast<double>(result->moved_bytes);
        }
    }
    figures.add("compact_ms", (bench::now_s() - begin) * 1e3);
    figures.add("moved_mib", moved / (1 << 20));
    figures.add_late("step", steps_ms);
    ratio("compacted");
    all.rename(heap);
    static_cast<void>(heap.compact());
    ratio("renamed");
    all.verify(heap);
    if (const char* broken = heap.broken_invariant()) {
        std::fprintf(stderr, "handles: %s\n", broken);
        std::exit(1);
    }
    pins.clear();
    all.end_all();
    bench::sleep_s(0.01);
    figures.add("freed_mib", (static_cast<double>(bench::physical_bytes()) - static_cast<double>(start)) / (1 << 20));
}

template <class Owner>
void run_stride(double share, Figures& figures) {
    const auto count = static_cast<std::size_t>(1'000'000 * share);
    Population<Owner> all(count);
    const std::size_t start = bench::physical_bytes();
    MovableHeap heap;
    for (std::size_t i = 0; i < count; ++i) {
        all.make(heap, i, 256);
    }
    for (std::size_t i = 0; i < count; ++i) {
        if (i % 16 != 0) {
            all.end(i);
        }
    }
    stages(heap, all, start, figures);
}

template <class Owner>
void run_random(double share, Figures& figures) {
    const auto count = static_cast<std::size_t>(1'100'000 * share);
    Population<Owner> all(count);
    const std::size_t start = bench::physical_bytes();
    MovableHeap heap;
    Random random(1);
    for (std::size_t i = 0; i < count; ++i) {
        all.make(heap, i, random.log_uniform(16, 1024));
    }
    for (std::size_t i = 0; i < count; ++i) {
        if (random.below(5) != 0) {
            all.end(i);
        }
    }
    stages(heap, all, start, figures);
}

/// A cache of 100 MB: records of four objects, the oldest of five sampled ones goes. Then values of twice the size.
template <class Owner>
void run_lru(double share, Figures& figures) {
    const auto cap = static_cast<std::size_t>(100e6 * share);
    const auto first = static_cast<std::size_t>(700'000 * share);
    const auto then = static_cast<std::size_t>(170'000 * share);
    Population<Owner> all((cap / 304 + 8) * 4);
    std::vector<std::size_t> ages(all.owners.size() / 4, 0);
    std::vector<std::size_t> live;
    std::vector<std::size_t> vacant;
    live.resize(ages.size());  // touched before memory is measured
    live.clear();
    for (std::size_t i = ages.size(); i-- > 0;) {
        vacant.push_back(i);
    }
    const std::size_t start = bench::physical_bytes();
    MovableHeap heap;
    Random random(2);
    for (std::size_t turn = 0; turn < first + then; ++turn) {
        const std::size_t value = turn < first ? 240 : 492;
        while (all.live + 64 + value > cap || vacant.empty()) {
            std::size_t oldest = random.below(live.size());
            for (int i = 0; i < 4; ++i) {
                const std::size_t other = random.below(live.size());
                oldest = ages[live[other]] < ages[live[oldest]] ? other : oldest;
            }
            for (std::size_t part = 0; part < 4; ++part) {
                all.end(live[oldest] * 4 + part);
            }
            vacant.push_back(live[oldest]);
            live[oldest] = live.back();
            live.pop_back();
        }
        const std::size_t record = vacant.back();
        vacant.pop_back();
        live.push_back(record);
        ages[record] = turn;
        const std::size_t sizes[] = {24, 16, 24, value};
        for (std::size_t part = 0; part < 4; ++part) {
            all.make(heap, record * 4 + part, sizes[part]);
        }
    }
    stages(heap, all, start, figures);
}

/// Sizes double: of each generation one in eight stays, and the next needs other holes.
template <class Owner>
void run_doubling(double share, Figures& figures) {
    const auto total = static_cast<std::size_t>((32 << 20) * share);
    std::size_t count = 0;
    for (std::size_t size = 64; size <= 8192; size *= 2) {
        count += total / size;
    }
    Population<Owner> all(count);
    const std::size_t start = bench::physical_bytes();
    MovableHeap heap;
    std::size_t next = 0;
    for (std::size_t size = 64; size <= 8192; size *= 2) {
        const std::size_t begin = next;
        for (; next < begin + total / size; ++next) {
            all.make(heap, next, size);
        }
        for (std::size_t i = begin; i < next; ++i) {
            if (i % 8 != 0) {
                all.end(i);
            }
        }
    }
    stages(heap, all, start, figures);
}

/// Arrays grow by half, again and again, among small nodes of which three in four go.
template <class Owner>
void run_arrays(double share, Figures& figures) {
    const auto nodes = static_cast<std::size_t>(1'200'000 * share);
    constexpr std::size_t kArrays = 64;
    Population<Owner> all(nodes + kArrays);
    const std::size_t start = bench::physical_bytes();
    MovableHeap heap;
    for (std::size_t i = 0; i < nodes; ++i) {
        all.make(heap, kArrays + i, 48);
        if (i % 40 == 0) {
            const std::size_t array = i / 40 % kArrays;
            all.make(heap, array, std::max<std::size_t>(64, std::min<std::size_t>(all.sizes[array] * 3 / 2, 400'000)));
        }
    }
    Random random(3);
    for (std::size_t i = 0; i < nodes; ++i) {
        if (random.below(4) != 0) {
            all.end(kArrays + i);
        }
    }
    stages(heap, all, start, figures);
}

/// Two threads serve sessions of 20 objects each; nine in ten expire. Some buffers are pinned, as by a system call.
template <class Owner>
void run_server(double share, Figures& figures) {
    const auto sessions = static_cast<std::size_t>(40'000 * share);
    Population<Owner> all(sessions * 20);
    std::vector<std::size_t> lives(2, 0);
    const std::size_t start = bench::physical_bytes();
    MovableHeap heap;
    std::vector<std::thread> threads;
    for (std::size_t part = 0; part < 2; ++part) {
        threads.emplace_back([&, part] {
            Random random(10 + part);
            for (std::size_t i = part * sessions * 10; i < (part + 1) * sessions * 10; ++i) {
                const std::size_t bytes = random.log_uniform(32, 2048);
                if (!all.owners[i].make(heap, bytes)) {
                    std::exit(1);
                }
                all.sizes[i] = static_cast<std::uint32_t>(bytes);
                lives[part] += bytes;
                const Borrow borrow(heap);
                bench::stamp(all.owners[i].in(borrow), i);
            }
            for (std::size_t i = part * sessions * 10; i < (part + 1) * sessions * 10; ++i) {
                if (i / 20 % 10 != 0) {
                    all.owners[i].end();
                    lives[part] -= all.sizes[i];
                    all.sizes[i] = 0;
                }
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    all.live = lives[0] + lives[1];
    std::vector<Pin<std::byte>> pins;
    if constexpr (std::is_same_v<Owner, ByBox>) {
        for (std::size_t i = 0; i < all.owners.size(); i += kPinnedEvery) {
            pins.push_back(all.owners[i].owner.pin());
        }
    }
    stages(heap, all, start, figures, std::move(pins));
}

constexpr std::size_t kMoves = 5;  // one takes a few ms: a single interruption would be a tenth of it

/// One compaction of a fresh heap on which one object in four is left. Nothing where it did not move anything.
template <class Owner>
void move_once(std::size_t bytes, std::size_t count, std::vector<double>& moving, std::vector<double>& with_return) {
    Population<Owner> all(count);
    MovableHeapOptions options;
    options.step_ns = 1'000'000'000;
    MovableHeap heap(options);
    for (std::size_t i = 0; i < count; ++i) {
        all.make(heap, i, bytes);
    }
    for (std::size_t i = 0; i < count; ++i) {
        if (i % 4 != 0) {
            all.end(i);
        }
    }
    const auto result = heap.compact();
    if (result && result->moving_ns != 0 && result->elapsed_ns != 0) {
        moving.push_back(static_cast<double>(result->moved_bytes) / static_cast<double>(result->moving_ns));
        with_return.push_back(static_cast<double>(result->moved_bytes) / static_cast<double>(result->elapsed_ns));
    }
    all.verify(heap);
    all.end_all();
}

double middle_of(std::vector<double>& values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

/// Bytes a second that a compaction moves, with the writing of owners, and with the return of memory: medians of kMoves compactions,
/// each of a heap of its own.
template <class Owner>
void run_moving(double share, Figures& figures) {
    for (const std::size_t bytes : {32, 64, 256, 1024, 4096}) {
        const auto count = static_cast<std::size_t>((64 << 20) * share) / bytes;
        std::vector<double> moving;
        std::vector<double> with_return;
        for (std::size_t turn = 0; turn < kMoves; ++turn) {
            move_once<Owner>(bytes, count, moving, with_return);
        }
        if (!moving.empty()) {
            figures.add("moved_gb_s_" + std::to_string(bytes), middle_of(moving));
            figures.add("with_return_gb_s_" + std::to_string(bytes), middle_of(with_return));
        }
    }
}

}  // namespace

int main(int count, char** words) {
    if (count < 3) {
        std::fprintf(stderr, "usage: handles WORKLOAD handle|box [SHARE [alone]]\n");
        return 2;
    }
    const std::string_view workload = words[1];
    const bool boxed = std::string_view(words[2]) == "box";
    const double share = count > 3 ? std::atof(words[3]) : 1.0;
    with_background = count < 5 || std::string_view(words[4]) != "alone";
    Figures figures;
    const auto either = [&](auto by_handle, auto by_box) { boxed ? by_box(share, figures) : by_handle(share, figures); };
    if (workload == "stride") {
        either(run_stride<ByHandle>, run_stride<ByBox>);
    } else if (workload == "random") {
        either(run_random<ByHandle>, run_random<ByBox>);
    } else if (workload == "lru") {
        either(run_lru<ByHandle>, run_lru<ByBox>);
    } else if (workload == "doubling") {
        either(run_doubling<ByHandle>, run_doubling<ByBox>);
    } else if (workload == "arrays") {
        either(run_arrays<ByHandle>, run_arrays<ByBox>);
    } else if (workload == "server") {
        either(run_server<ByHandle>, run_server<ByBox>);
    } else if (workload == "moving") {
        either(run_moving<ByHandle>, run_moving<ByBox>);
    } else if (workload == "following") {
        bench::run_following(share, figures);
        bench::run_packed(figures);
    } else {
        std::fprintf(stderr, "handles: no workload '%s'\n", words[1]);
        return 2;
    }
    figures.print(words[1], words[2]);
    return 0;
}
