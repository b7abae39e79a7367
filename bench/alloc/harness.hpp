// Measures short loops: thread CPU time, rounds of all contenders in turn, one line a measurement for the script to read.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include <time.h>

namespace bench {

/// Makes the compiler believe that everything behind the pointer is read and written here.
inline void escape(const void* pointer) { asm volatile("" ::"r"(pointer) : "memory"); }

inline double thread_cpu_ns() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

/// One allocator in one workload: what to repeat, and how many operations a repetition is.
struct Contender {
    std::string workload;
    std::string allocator;
    double operations;
    std::function<void()> run;
    std::function<void()> prepare;  // before each repetition, outside the clock
    std::function<void()> clean_up;
};

/// Contenders of one workload take turns, so that a slow minute of the machine slows all of them.
class Race {
public:
    void add(
        std::string workload, std::string allocator, double operations, std::function<void()> run, std::function<void()> prepare = [] {},
        std::function<void()> clean_up = [] {}) {
        contenders_.push_back(
            {std::move(workload), std::move(allocator), operations, std::move(run), std::move(prepare), std::move(clean_up)});
    }

    void start(int rounds, const std::string& only) {
        for (int round = -1; round < rounds; ++round) {  // round -1 warms up
            for (Contender& contender : contenders_) {
                if (contender.workload.find(only) == std::string::npos) {
                    continue;
                }
                contender.prepare();
                const double begin = thread_cpu_ns();
                contender.run();
                const double ns = (thread_cpu_ns() - begin) / contender.operations;
                contender.clean_up();
                if (round >= 0) {
                    std::printf("%s\t%s\t%.4f\n", contender.workload.c_str(), contender.allocator.c_str(), ns);
                }
            }
            std::fflush(stdout);
        }
    }

private:
    std::vector<Contender> contenders_;
};

/// A small generator, so that every library sees the same sequence.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}
    std::uint64_t below(std::uint64_t bound) {
        state_ += 0x9E3779B97F4A7C15U;
        std::uint64_t mixed = (state_ ^ (state_ >> 30)) * 0xBF58476D1CE4E5B9U;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBU;
        return (mixed ^ (mixed >> 31)) % bound;
    }

private:
    std::uint64_t state_;
};

inline std::vector<std::uint32_t> shuffled(std::uint32_t count) {
    std::vector<std::uint32_t> order(count);
    for (std::uint32_t index = 0; index < count; ++index) {
        order[index] = index;
    }
    Random random{7};
    for (std::uint32_t left = count; left > 1; --left) {
        std::swap(order[left - 1], order[random.below(left)]);
    }
    return order;
}

}  // namespace bench
