// Sparse memory that tells whether it was damaged, and a thread that compacts it meanwhile. For meshed.cpp.
#pragma once

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include <dlfcn.h>
#include <unistd.h>

namespace meshed {

[[noreturn]] inline void fail(const char* what) {
    std::fprintf(stderr, "meshed: %s: %s\n", what, std::strerror(errno));
    ::_exit(1);
}

inline std::uint64_t word_of(std::size_t number, std::size_t place) { return (number * 1'000'003 + place + 1) * 0x9E3779B97F4A7C15U; }

/// Blocks of many sizes, each word told by its number and its place; most are freed, so that the rest is sparse.
class Survivors {
public:
    Survivors(std::size_t count, std::size_t share, std::uint64_t seed) : seed_(seed) {
        std::vector<Block> made;
        for (std::size_t i = 0; i < count; ++i) {
            made.push_back(make(64 + 32 * (next() % 14)));
        }
        for (const Block& block : made) {
            if (next() % share == 0) {
                left_.push_back(block);
            } else {
                std::free(block.words);
            }
        }
    }
    Survivors(const Survivors&) = delete;
    Survivors& operator=(const Survivors&) = delete;
    ~Survivors() {
        for (const Block& block : left_) {
            std::free(block.words);
        }
    }

    struct Block {
        std::uint64_t* words = nullptr;
        std::size_t count = 0;
        std::size_t number = 0;
        void write() const {
            for (std::size_t i = 0; i < count; ++i) {
                words[i] = word_of(number, i);
            }
        }
        [[nodiscard]] bool is_intact() const {
            for (std::size_t i = 0; i < count; ++i) {
                if (words[i] != word_of(number, i)) {
                    return false;
                }
            }
            return true;
        }
    };

    Block& any() { return left_[next() % left_.size()]; }
    void replace(Block& block) {
        const std::size_t bytes = block.count * 8;
        std::free(block.words);
        block = make(bytes);
    }
    /// As replace(), but the block stays where malloc refuses.
    void replace_if_possible(Block& block) {
        if (auto* const room = static_cast<std::uint64_t*>(std::malloc(block.count * 8)); room != nullptr) {
            std::free(block.words);
            block = {.words = room, .count = block.count, .number = ++number_};
            block.write();
        }
    }
    [[nodiscard]] bool are_intact() const {
        for (const Block& block : left_) {
            if (!block.is_intact()) {
                return false;
            }
        }
        return true;
    }
    void verify(const char* when) const {
        if (!are_intact()) {
            errno = 0;
            fail(when);
        }
    }
    std::uint64_t next() {
        seed_ = seed_ * 6'364'136'223'846'793'005U + 1'442'695'040'888'963'407U;
        return seed_ >> 33U;
    }

private:
    Block make(std::size_t bytes) {
        const Block made{.words = static_cast<std::uint64_t*>(std::malloc(bytes)), .count = bytes / 8, .number = ++number_};
        if (made.words == nullptr) {
            fail("malloc");
        }
        made.write();
        return made;
    }
    std::uint64_t seed_;
    std::size_t number_ = 0;
    std::vector<Block> left_;
};

/// Compacts again and again on a thread of its own.
class Compactor {
public:
    Compactor()
        : thread_([this] {
              while (compact_ != nullptr && !is_over_.load()) {
                  compact_();
                  passes_.fetch_add(1);
              }
          }) {}
    Compactor(const Compactor&) = delete;
    Compactor& operator=(const Compactor&) = delete;
    ~Compactor() {
        is_over_.store(true);
        thread_.join();
        std::printf("%zu passes\n", passes_.load());
    }
    void await_passes(std::size_t count) const {
        const std::size_t before = passes_.load();
        while (compact_ != nullptr && passes_.load() < before + count) {
            ::usleep(1000);
        }
    }

private:
    std::size_t (*const compact_)() = reinterpret_cast<std::size_t (*)()>(::dlsym(RTLD_DEFAULT, "heapwright_compact"));
    std::atomic<bool> is_over_{false};
    std::atomic<std::size_t> passes_{0};
    std::thread thread_;
};

}  // namespace meshed
