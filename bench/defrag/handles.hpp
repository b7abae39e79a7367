// Clocks, memory as the kernel counts it, stamps, and how much following an owner costs: what handles.cpp measures with.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <heapwright/own/handle/box.hpp>
#include <heapwright/own/handle/handle.hpp>

namespace bench {

inline double clock_s(clockid_t clock) {
    timespec now{};
    clock_gettime(clock, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}
inline double now_s() { return clock_s(CLOCK_MONOTONIC); }
inline double thread_cpu_s() { return clock_s(CLOCK_THREAD_CPUTIME_ID); }
inline void sleep_s(double seconds) {
    const timespec time{.tv_sec = 0, .tv_nsec = static_cast<long>(seconds * 1e9)};
    nanosleep(&time, nullptr);
}

/// Pss_Anon and Pss_Shmem of this process.
inline std::size_t physical_bytes() {
    std::FILE* const file = std::fopen("/proc/self/smaps_rollup", "r");
    char line[256];
    std::size_t sum = 0;
    std::size_t kib = 0;
    while (file != nullptr && std::fgets(line, sizeof line, file) != nullptr) {
        if (std::sscanf(line, "Pss_Anon: %zu", &kib) == 1 || std::sscanf(line, "Pss_Shmem: %zu", &kib) == 1) {
            sum += kib << 10;
        }
    }
    if (file != nullptr) {
        std::fclose(file);
    }
    return sum;
}

class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15U + 1) {}
    std::uint64_t next() {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        return state_;
    }
    std::size_t below(std::size_t bound) { return next() % bound; }
    /// Each power of two as likely as the other.
    std::size_t log_uniform(std::size_t low, std::size_t high) {
        std::size_t doublings = 0;
        while (low << (doublings + 1) <= high) {
            ++doublings;
        }
        const std::size_t begin = low << below(doublings);
        return begin + below(begin);
    }

private:
    std::uint64_t state_;
};

/// Every byte depends on the object's number and on its place.
inline void stamp(std::span<std::byte> bytes, std::size_t number) {
    std::uint64_t word = (number + 1) * 0x9E3779B97F4A7C15U;
    std::size_t at = 0;
    for (; at + 8 <= bytes.size(); at += 8, word += number | 1) {
        std::memcpy(bytes.data() + at, &word, 8);
    }
    std::memcpy(bytes.data() + at, &word, bytes.size() - at);
}
inline bool is_stamped(std::span<const std::byte> bytes, std::size_t number) {
    std::uint64_t word = (number + 1) * 0x9E3779B97F4A7C15U;
    std::size_t at = 0;
    for (; at + 8 <= bytes.size(); at += 8, word += number | 1) {
        if (std::memcmp(bytes.data() + at, &word, 8) != 0) {
            return false;
        }
    }
    return bytes.size() == at || std::memcmp(bytes.data() + at, &word, bytes.size() - at) == 0;
}

/// Names and numbers, printed as one JSON object.
class Figures {
public:
    void add(const std::string& name, double value) { rows_.emplace_back(name, value); }
    /// Middle, 99.9th in 100 and longest, with their number.
    void add_late(const std::string& name, std::vector<double>& values) {
        std::sort(values.begin(), values.end());
        if (!values.empty()) {
            add(name + "s", static_cast<double>(values.size()));
            add(name + "_median_ms", values[values.size() / 2]);
            add(name + "_p999_ms", values[std::min(values.size() - 1, values.size() * 999 / 1000)]);
            add(name + "_longest_ms", values.back());
        }
    }
    void print(const char* workload, const char* owner) const {
        std::printf("{\"workload\": \"%s\", \"owner\": \"%s\"", workload, owner);
        for (const auto& [name, value] : rows_) {
            std::printf(", \"%s\": %.6g", name.c_str(), value);
        }
        std::printf("}\n");
    }

private:
    std::vector<std::pair<std::string, double>> rows_;
};

/// A ring of nodes in random order: each step waits for the one before.
template <class Owner>
struct Link {
    Owner next;
    std::uint64_t value = 1;
    std::uint64_t more[5] = {};
};

struct Plain {
    Plain* next = nullptr;
    std::uint64_t value = 1;
    std::uint64_t more[5] = {};
};

inline std::vector<std::size_t> shuffled(std::size_t count) {
    std::vector<std::size_t> order(count);
    Random random(5);
    for (std::size_t i = 0; i < count; ++i) {
        order[i] = i;
        std::swap(order[i], order[random.below(i + 1)]);
    }
    return order;
}

/// Nanoseconds a step, the best of several rounds.
template <class Walk>
double best_ns(std::size_t steps, Walk walk) {
    double best = 1e9;
    for (int round = 0; round < 60; ++round) {
        const double begin = now_s();
        walk(steps);
        best = std::min(best, (now_s() - begin) * 1e9 / static_cast<double>(steps));
    }
    return best;
}

struct HandleNode {
    heapwright::Handle<HandleNode> next;
    std::uint64_t value = 1;
    std::uint64_t more[5] = {};
};
struct BoxNode {
    heapwright::MovableBox<BoxNode> next;
    std::uint64_t value = 1;
    std::uint64_t more[5] = {};
};

/// A chain through handles that a compaction has packed the names of: 16 are left on each page of the name table.
inline void run_packed(Figures& figures) {
    constexpr std::size_t kNodes = 256;
    constexpr std::size_t kApart = 64;
    volatile std::uint64_t sink = 0;
    heapwright::MovableHeap heap;
    std::vector<heapwright::Handle<HandleNode>> handles(std::size_t{200'000});
    for (auto& handle : handles) {
        handle = *heapwright::make_handle<HandleNode>(heap);
    }
    for (std::size_t i = 0; i < handles.size(); ++i) {
        if (i % kApart != 0) {
            handles[i].reset();
        }
    }
    static_cast<void>(heap.compact());
    figures.add("packed_name_bytes", static_cast<double>(heap.stats().name_bytes) / static_cast<double>(heap.stats().names));
    const auto order = shuffled(kNodes);
    for (std::size_t i = kNodes - 1; i > 0; --i) {
        auto handle = std::move(handles[order[i] * kApart]);
        handles[order[i - 1] * kApart].pin()->next = std::move(handle);
    }
    const auto& first = handles[order[0] * kApart];
    figures.add("hot_packed_handle_ns", best_ns(200'000, [&](std::size_t left) {
                    std::uint64_t sum = 0;
                    const heapwright::Borrow borrow(heap);
                    for (const HandleNode* at = &borrow[first]; left > 0; --left) {
                        sum += at->value;
                        at = !at->next ? &borrow[first] : &borrow[at->next];
                    }
                    sink = sink + sum;
                }));
}

/// A chain through all nodes, by pointers, by boxes and by handles; and pinning, borrowing, sums over what is pinned.
inline void run_following(double share, Figures& figures) {
    using heapwright::Borrow;
    using heapwright::MovableHeap;
    volatile std::uint64_t sink = 0;
    for (const auto& [name, nodes] : {std::pair{"hot", std::size_t{256}}, std::pair{"cold", static_cast<std::size_t>(1'000'000 * share)}}) {
        const std::size_t steps = std::size_t{200'000};  // short enough to fit between two interruptions, now and then
        const auto order = shuffled(nodes);
        std::vector<std::unique_ptr<Plain>> plain(nodes);
        MovableHeap heap;
        std::vector<heapwright::Handle<HandleNode>> handles(nodes);
        std::vector<heapwright::MovableBox<BoxNode>> boxes(nodes);
        for (std::size_t i = 0; i < nodes; ++i) {
            plain[i] = std::make_unique<Plain>();
            handles[i] = *heapwright::make_handle<HandleNode>(heap);
        }
        for (auto& box : boxes) {  // not between the others: what is hot is to fit the first cache, as the plain nodes do
            static_cast<void>(box.emplace(heap));
        }
        // Each owner moves into the node before; the last remains outside.
        for (std::size_t i = 0; i + 1 < nodes; ++i) {
            plain[order[i]]->next = plain[order[i + 1]].get();
            const Borrow borrow(heap);
            heapwright::Handle<HandleNode> handle = std::move(handles[order[i + 1]]);
            borrow[i == 0 ? handles[order[0]] : handle].value += 0;
            handles[order[i + 1]] = std::move(handle);
        }
        for (std::size_t i = nodes - 1; i > 0; --i) {
            auto handle = std::move(handles[order[i]]);
            handles[order[i - 1]].pin()->next = std::move(handle);
            auto box = std::move(boxes[order[i]]);
            boxes[order[i - 1]].pin()->next = std::move(box);
        }
        const Plain* const first = plain[order[0]].get();
        const auto& first_handle = handles[order[0]];
        const auto& first_box = boxes[order[0]];
        const double direct = best_ns(steps, [&](std::size_t left) {
            std::uint64_t sum = 0;
            for (const Plain* at = first; left > 0; --left) {
                sum += at->value;
                at = at->next == nullptr ? first : at->next;
            }
            sink = sink + sum;
        });
        const double boxed = best_ns(steps, [&](std::size_t left) {
            std::uint64_t sum = 0;
            const Borrow borrow(heap);
            for (const BoxNode* at = &borrow[first_box]; left > 0; --left) {
                sum += at->value;
                at = !at->next ? &borrow[first_box] : &borrow[at->next];
            }
            sink = sink + sum;
        });
        const double handled = best_ns(steps, [&](std::size_t left) {
            std::uint64_t sum = 0;
            const Borrow borrow(heap);
            for (const HandleNode* at = &borrow[first_handle]; left > 0; --left) {
                sum += at->value;
                at = !at->next ? &borrow[first_handle] : &borrow[at->next];
            }
            sink = sink + sum;
        });
        figures.add(std::string(name) + "_pointer_ns", direct);
        figures.add(std::string(name) + "_box_ns", boxed);
        figures.add(std::string(name) + "_handle_ns", handled);
        if (std::string(name) == "hot") {
            figures.add("borrow_ns", best_ns(steps, [&](std::size_t left) {
                            for (; left > 0; --left) {
                                const Borrow borrow(heap);
                                sink = borrow[first_handle].value;
                            }
                        }));
            figures.add("pin_ns", best_ns(steps, [&](std::size_t left) {
                            for (; left > 0; --left) {
                                sink = first_handle.pin()->value;
                            }
                        }));
            const auto pin = first_handle.pin();
            figures.add("pinned_ns", best_ns(steps, [&](std::size_t left) {
                            for (; left > 0; --left) {
                                sink = pin->value;
                            }
                        }));
            figures.add("raw_ns", best_ns(steps, [&](std::size_t left) {
                            for (; left > 0; --left) {
                                sink = first->value;
                            }
                        }));
            figures.add("make_and_end_handle_ns", best_ns(steps / 16, [&](std::size_t left) {
                            for (; left > 0; --left) {
                                const auto made = heapwright::make_handle<HandleNode>(heap);
                                sink = sink + (made.has_value() ? 1 : 0);
                            }
                        }));
        }
        // Taken apart from the front: a chain of a million owners must not end by recursion.
        for (auto at = std::move(handles[order[0]]); at;) {
            auto next = std::move(at.pin()->next);
            at = std::move(next);
        }
        for (auto at = std::move(boxes[order[0]]); at;) {
            auto next = std::move(at.pin()->next);
            at = std::move(next);
        }
    }
}

}  // namespace bench
