// Random steps of the heap against a model that knows every block, where it is and what it holds.
#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <memory>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/tlsf/tlsf.hpp>

#include <tests/support/random.hpp>

namespace heapwright {
namespace {

template <class Heap>
class Model {
public:
    Model(std::uint64_t salt, std::size_t largest_size) : largest_size_(largest_size), random_(salt) {
        for (auto& region : regions_) {
            region.resize(20'000 + random_.below(20'000));
        }
        REQUIRE(heap_.add_region(regions_[0]));
        is_here_[0] = true;
    }

    void run(int steps) {
        for (int step = 0; step < steps; ++step) {
            const std::uint64_t act = random_.below(100);
            if (act < 45) {
                allocate();
            } else if (act < 82) {
                deallocate();
            } else if (act < 97) {
                reallocate();
            } else {
                change_region();
            }
            if (random_.one_in(10)) {
                const char* const broken = heap_.broken_invariant();
                REQUIRE_MESSAGE(broken == nullptr, broken);
                REQUIRE(heap_.stats().live_blocks == live_.size());
            }
        }
        while (!live_.empty()) {
            deallocate();
        }
        const TlsfStats stats = heap_.stats();
        CHECK(stats.used_bytes == 0);
        CHECK(heap_.broken_invariant() == nullptr);
    }

private:
    struct Live {
        Layout layout;
        unsigned char mark;
    };

    void add(void* memory, Layout layout, unsigned char mark) {
        auto* const start = static_cast<unsigned char*>(memory);
        REQUIRE(is_aligned(start, layout.alignment));
        const auto after = live_.lower_bound(start);
        REQUIRE((after == live_.end() || start + layout.size <= after->first));
        REQUIRE((after == live_.begin() || std::prev(after)->first + std::prev(after)->second.layout.size <= start));
        REQUIRE(heap_.owns(start));
        std::memset(start, mark, layout.size);
        live_[start] = {.layout = layout, .mark = mark};
    }
    void check(const unsigned char* start, std::size_t size, unsigned char mark) {
        REQUIRE(std::count(start, start + size, mark) == static_cast<std::ptrdiff_t>(size));
    }
    auto any() { return std::next(live_.begin(), static_cast<std::ptrdiff_t>(random_.below(live_.size()))); }

    void allocate() {
        const Layout layout{.size = random_.size_up_to(largest_size_), .alignment = std::size_t{1} << random_.below(9)};
        if (void* const memory = heap_.try_allocate(layout)) {
            add(memory, layout, static_cast<unsigned char>(random_.next()));
        } else {
            // A refusal is true: no free run could hold the block however it is placed.
            const std::size_t slack = layout.alignment <= Heap::kAlignment ? 0 : layout.alignment + 4 * sizeof(std::size_t);
            const std::size_t largest = heap_.stats().largest_free_bytes;
            const std::size_t wanted = layout.size + slack + 5 * sizeof(std::size_t);
            REQUIRE_MESSAGE(largest <= wanted + wanted / 4, "refused though there was room");
        }
    }
    void deallocate() {
        if (live_.empty()) {
            return;
        }
        const auto victim = any();
        check(victim->first, victim->second.layout.size, victim->second.mark);
        heap_.deallocate(victim->first, victim->second.layout);
        live_.erase(victim);
    }
    void reallocate() {
        if (live_.empty()) {
            return;
        }
        const auto victim = any();
        const auto [start, block] = *victim;
        const std::size_t size = random_.size_up_to(largest_size_);
        auto* const moved = static_cast<unsigned char*>(heap_.try_reallocate(start, block.layout, size));
        const std::size_t kept = size < block.layout.size ? size : block.layout.size;
        if (moved == nullptr) {
            check(start, block.layout.size, block.mark);
            return;
        }
        check(moved, kept, block.mark);
        live_.erase(victim);
        add(moved, {.size = size, .alignment = block.layout.alignment}, static_cast<unsigned char>(random_.next()));
    }
    void change_region() {
        const std::size_t which = random_.below(regions_.size());
        auto& region = regions_[which];
        if (!is_here_[which]) {
            REQUIRE(heap_.add_region(region));
            is_here_[which] = true;
            return;
        }
        const auto first = live_.lower_bound(reinterpret_cast<unsigned char*>(region.data()));
        const bool is_used = first != live_.end() && first->first < reinterpret_cast<unsigned char*>(region.data() + region.size());
        REQUIRE(heap_.remove_region(region.data() + region.size() / 2) == !is_used);
        is_here_[which] = is_used;
    }

    std::array<std::vector<std::byte>, 3> regions_;
    std::array<bool, 3> is_here_{};
    Heap heap_;
    std::map<unsigned char*, Live> live_;
    std::size_t largest_size_;
    test::Random random_;
};

TEST_CASE_TEMPLATE("random steps agree with the model", Heap, Tlsf, SmallTlsf, BasicTlsf<20, 2>, BasicTlsf<16, 4>) {
    for (const std::size_t largest_size : {std::size_t{60}, std::size_t{500}, std::size_t{12'000}}) {
        Model<Heap>{largest_size, largest_size}.run(4'000);
    }
}

}  // namespace
}  // namespace heapwright
