// What every allocator of the library must obey, stated once. laws_test.cpp runs it over all of them.
//
// A subject is a struct with
//   explicit Subject(SourceRef)      the allocator, standing on that source
//   try_allocate, deallocate         as BlockSource
//   broken_invariant()               nullptr while all is well
//   kLargest                         the largest layout that it must serve
//   kReclaims                        whether a block that came back is given again
//   kRefusesDoubleFree               whether a second free stops the program
#pragma once

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/base/bits.hpp>
#include <heapwright/base/block_source.hpp>

#include <tests/support/failing_source.hpp>
#include <tests/support/random.hpp>

namespace heapwright::laws {

/// A source that can be told to refuse, and to stop refusing.
struct SwitchedSource {
    test::FailingSource below;
    bool refuses = false;
    void* try_allocate(Layout layout) noexcept { return refuses ? nullptr : below.try_allocate(layout); }
    void deallocate(void* block, Layout layout) noexcept { below.deallocate(block, layout); }
};

/// Live blocks with what was written into them; complains when one overlaps another or has changed.
class Ledger {
public:
    void add(void* block, Layout layout, unsigned char mark) {
        auto* const start = static_cast<unsigned char*>(block);
        const std::size_t size = layout.size == 0 ? 1 : layout.size;  // a block of no bytes has an address of its own
        const auto after = live_.lower_bound(start);
        REQUIRE_MESSAGE((after == live_.end() || start + size <= after->first), "a block overlaps the next one");
        if (after != live_.begin()) {
            const auto before = std::prev(after);
            REQUIRE_MESSAGE(before->first + before->second.held <= start, "a block overlaps the one before");
        }
        std::memset(block, mark, layout.size);
        live_[start] = {.layout = layout, .held = size, .mark = mark};
        order_.push_back(start);
    }
    [[nodiscard]] std::size_t size() const { return order_.size(); }
    [[nodiscard]] Layout layout_of(std::size_t index) const { return live_.at(order_[index]).layout; }

    /// Checks the contents and forgets the block.
    void* take(std::size_t index) {
        unsigned char* const start = order_[index];
        const Block block = live_.at(start);
        const bool is_whole = std::all_of(start, start + block.layout.size, [&](unsigned char byte) { return byte == block.mark; });
        REQUIRE_MESSAGE(is_whole, "a block's contents have changed");
        live_.erase(start);
        order_[index] = order_.back();
        order_.pop_back();
        return start;
    }

private:
    struct Block {
        Layout layout;
        std::size_t held;
        unsigned char mark;
    };
    std::map<unsigned char*, Block> live_;
    std::vector<unsigned char*> order_;
};

template <class Subject>
Layout random_layout(test::Random& random) {
    constexpr Layout kLargest = Subject::kLargest;
    const unsigned alignments = log2_floor(kLargest.alignment) + 1;
    return {.size = random.size_up_to(kLargest.size), .alignment = std::size_t{1} << random.below(alignments)};
}

template <class Subject>
void give_all_back(Subject& subject, Ledger& ledger) {
    while (ledger.size() > 0) {
        const Layout layout = ledger.layout_of(ledger.size() - 1);
        subject.deallocate(ledger.take(ledger.size() - 1), layout);
    }
}

/// Every block is aligned as asked, holds what was asked, overlaps no other and keeps its contents; after all have come
/// back and the allocator is gone, so are its chunks.
template <class Subject>
void blocks_are_sound_and_bytes_come_home() {
    test::FailingSource source;
    {
        Subject subject{source};
        Ledger ledger;
        for (std::size_t alignment = 1; alignment <= Subject::kLargest.alignment; alignment *= 2) {
            for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{7}, std::size_t{24}, Subject::kLargest.size}) {
                const Layout layout{.size = size > Subject::kLargest.size ? Subject::kLargest.size : size, .alignment = alignment};
                for (int copy = 0; copy < 3; ++copy) {
                    void* const block = subject.try_allocate(layout);
                    REQUIRE(block != nullptr);
                    CHECK(is_aligned(block, alignment));
                    ledger.add(block, layout, static_cast<unsigned char>(ledger.size()));
                }
            }
        }
        CHECK(subject.broken_invariant() == nullptr);
        give_all_back(subject, ledger);
        CHECK(subject.broken_invariant() == nullptr);
    }
    CHECK(source.outstanding() == 0);
}

/// Blocks of no bytes are blocks: not nullptr, and no two at one address.
template <class Subject>
void nothing_has_an_address() {
    test::FailingSource source;
    Subject subject{source};
    void* const first = subject.try_allocate({.size = 0, .alignment = 1});
    void* const second = subject.try_allocate({.size = 0, .alignment = 1});
    CHECK(first != nullptr);
    CHECK(second != nullptr);
    CHECK(first != second);
    subject.deallocate(second, {.size = 0, .alignment = 1});
    subject.deallocate(first, {.size = 0, .alignment = 1});
}

/// Sizes that no machine has are refused, and arithmetic on them does not wrap into small ones.
template <class Subject>
void absurd_sizes_are_refused() {
    test::FailingSource source;
    Subject subject{source};
    for (const std::size_t size : {Layout::kLargestSize, Layout::kLargestSize - 4096, Layout::kLargestSize / 2 + 1}) {
        for (const std::size_t alignment : {std::size_t{1}, Subject::kLargest.alignment}) {
            const Layout layout{.size = align_down(size, alignment), .alignment = alignment};
            CHECK(subject.try_allocate(layout) == nullptr);
        }
    }
    CHECK(subject.broken_invariant() == nullptr);
    void* const block = subject.try_allocate({.size = 1, .alignment = 1});
    CHECK(block != nullptr);
    subject.deallocate(block, {.size = 1, .alignment = 1});
}

/// A refusal leaves every live block and the allocator as they were, and is no verdict on later requests.
template <class Subject>
void refusal_changes_nothing() {
    SwitchedSource source;
    {
        Subject subject{source};
        Ledger ledger;
        test::Random random{1};
        constexpr std::size_t kEnough = 100'000;  // a subject with chunks of its own stops asking much earlier
        for (int round = 0; round < 3; ++round) {
            source.refuses = true;
            for (std::size_t count = 0; count < kEnough; ++count) {
                const Layout layout = random_layout<Subject>(random);
                void* const block = subject.try_allocate(layout);
                if (block == nullptr) {
                    break;
                }
                ledger.add(block, layout, static_cast<unsigned char>(random.next()));
            }
            CHECK(subject.broken_invariant() == nullptr);
            source.refuses = false;
            const Layout layout = Subject::kLargest;
            void* const block = subject.try_allocate(layout);
            REQUIRE(block != nullptr);
            ledger.add(block, layout, 0x55);
        }
        give_all_back(subject, ledger);
        CHECK(subject.broken_invariant() == nullptr);
    }
    CHECK(source.below.outstanding() == 0);
}

/// Whatever is asked and given back in whatever order, blocks stay sound and every invariant holds.
template <class Subject>
void random_steps_agree_with_the_ledger() {
    test::FailingSource source;
    {
        Subject subject{source};
        Ledger ledger;
        test::Random random{2};
        for (int step = 0; step < 6000; ++step) {
            const std::uint64_t tide = step / 1000 % 2 == 0 ? 65 : 35;
            if (random.below(100) < tide) {
                const Layout layout = random_layout<Subject>(random);
                void* const block = subject.try_allocate(layout);
                REQUIRE(block != nullptr);
                REQUIRE(is_aligned(block, layout.alignment));
                ledger.add(block, layout, static_cast<unsigned char>(random.next()));
            } else if (ledger.size() > 0) {
                const std::size_t victim = random.below(ledger.size());
                const Layout layout = ledger.layout_of(victim);
                subject.deallocate(ledger.take(victim), layout);
            }
            if (random.one_in(20)) {
                const char* const broken = subject.broken_invariant();
                REQUIRE_MESSAGE(broken == nullptr, broken);
            }
        }
        give_all_back(subject, ledger);
    }
    CHECK(source.outstanding() == 0);
}

/// Memory that runs out at the first, the second, the third chunk is refused, and nothing leaks.
template <class Subject>
void memory_may_run_out_anywhere() {
    test::fail_at_every_step([](test::FailingSource& source) {
        Subject subject{source};
        Ledger ledger;
        bool finished = true;
        for (int count = 0; count < 60 && finished; ++count) {
            void* const block = subject.try_allocate(Subject::kLargest);
            finished = block != nullptr;
            if (finished) {
                ledger.add(block, Subject::kLargest, static_cast<unsigned char>(count));
            }
        }
        CHECK(subject.broken_invariant() == nullptr);
        give_all_back(subject, ledger);
        return finished;
    });
}

/// Where blocks are reclaimed, a steady program needs no more memory on its thousandth round than on its first ones.
template <class Subject>
void steady_use_takes_no_more_memory() {
    test::FailingSource source;
    Subject subject{source};
    std::size_t after_warmup = 0;
    for (int round = 0; round < 1000; ++round) {
        Ledger ledger;
        test::Random random{3};  // the same requests each round
        for (int count = 0; count < 20; ++count) {
            const Layout layout = random_layout<Subject>(random);
            void* const block = subject.try_allocate(layout);
            REQUIRE(block != nullptr);
            ledger.add(block, layout, 1);
        }
        give_all_back(subject, ledger);
        if (round == 100) {
            after_warmup = source.peak_bytes();
        }
    }
    CHECK(source.peak_bytes() == after_warmup);
}

}  // namespace heapwright::laws
