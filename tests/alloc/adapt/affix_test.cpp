// Notes before blocks and guards behind them.
#include <heapwright/alloc/adapt/affix.hpp>

#include <cstdint>
#include <cstring>

#include <doctest/doctest.h>

#include <heapwright/alloc/tlsf/tlsf.hpp>

#include <tests/support/failing_source.hpp>

namespace heapwright {
namespace {

struct Note {
    static inline int alive = 0;
    const char* who = "nobody";
    Note() noexcept { ++alive; }
    Note(const Note&) = delete;
    Note& operator=(const Note&) = delete;
    ~Note() { --alive; }
};

struct Guard {
    static inline int broken = 0;
    std::uint32_t word = 0x600D'600D;
    ~Guard() { broken += word == 0x600D'600D ? 0 : 1; }
};

TEST_CASE("each block has a note of its own before it, for as long as it lives") {
    Note::alive = 0;
    test::FailingSource source;
    {
        Tlsf below{source};
        Affixed<Tlsf, Note> heap{below};
        for (const std::size_t alignment : {std::size_t{1}, std::size_t{8}, std::size_t{64}, std::size_t{1024}}) {
            const Layout layout{.size = 100, .alignment = alignment};
            void* const first = heap.try_allocate(layout);
            void* const second = heap.try_allocate(layout);
            REQUIRE(first != nullptr);
            REQUIRE(second != nullptr);
            CHECK(Note::alive == 2);
            heap.prefix_of(first).who = "parser";
            std::memset(second, 0xFF, layout.size);
            CHECK(std::strcmp(heap.prefix_of(first).who, "parser") == 0);
            CHECK(std::strcmp(heap.prefix_of(second).who, "nobody") == 0);
            heap.deallocate(first, layout);
            heap.deallocate(second, layout);
            CHECK(Note::alive == 0);
        }
        CHECK(below.stats().live_blocks == 0);
    }
    CHECK(source.outstanding() == 0);
}

TEST_CASE("a guard behind a block sees a write beyond its end, and no other") {
    Guard::broken = 0;
    test::FailingSource source;
    Tlsf below{source};
    Affixed<Tlsf, Note, Guard> heap{below};
    for (std::size_t size = 0; size < 40; ++size) {
        const Layout layout{.size = size, .alignment = 1};
        void* const block = heap.try_allocate(layout);
        REQUIRE(block != nullptr);
        std::memset(block, 0xFF, size);
        heap.deallocate(block, layout);
    }
    CHECK(Guard::broken == 0);
    const Layout layout{.size = 16, .alignment = 8};
    auto* const block = static_cast<unsigned char*>(heap.try_allocate(layout));
    REQUIRE(block != nullptr);
    unsigned char* end = block + layout.size;
    asm volatile("" : "+r"(end));  // else the compiler sees that no such byte is the block's
    *end = 0;
    heap.deallocate(block, layout);
    CHECK(Guard::broken == 1);
}

TEST_CASE("what stands beside blocks is in the description, and sizes that are too much with it are refused") {
    test::FailingSource source;
    Tlsf below{source};
    Affixed<Tlsf, Note, Guard> heap{below};
    CHECK(heap.try_allocate({.size = Layout::kLargestSize, .alignment = 1}) == nullptr);
    CHECK(heap.try_allocate({.size = Layout::kLargestSize - 8, .alignment = 8}) == nullptr);
    constexpr auto kWhat = description_of<Affixed<Tlsf, Note, Guard>>();
    CHECK(kWhat.view().starts_with("Affixed(8 bytes, Tlsf, 4 bytes): 0 decisions"));
    CHECK(Note::alive == 0);
}

}  // namespace
}  // namespace heapwright
