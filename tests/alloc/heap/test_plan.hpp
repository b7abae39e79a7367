// A placement plan for a test program: made once, because a plan is in force for a whole process.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include <doctest/doctest.h>

#include <heapwright/alloc/heap/default_heap.hpp>
#include <heapwright/alloc/heap/detail/planned.hpp>
#include <heapwright/alloc/heap/placement.hpp>
#include <heapwright/os/modules.hpp>

namespace heapwright::test {

using placement::PlaceId;
using placement::PlaceStatistics;
using placement::SiteStatistics;

/// What libheapwright.so's malloc is: the plan is asked about who called this.
inline const void* g_caller = nullptr;
HEAPWRIGHT_NOINLINE inline void* ask(std::size_t bytes) {
    g_caller = __builtin_return_address(0);
    return default_heap::allocate(bytes);
}

// Each is one place in the code from which blocks are asked for.
HEAPWRIGHT_NOINLINE inline void* ask_for_passing(std::size_t bytes) {
    void* const block = ask(bytes);
    asm volatile("" ::: "memory");  // a call, and no jump
    return block;
}
HEAPWRIGHT_NOINLINE inline void* ask_for_lasting(std::size_t bytes) {
    void* const block = ask(bytes);
    asm volatile("" ::: "memory");
    return block;
}
HEAPWRIGHT_NOINLINE inline void* ask_for_anything(std::size_t bytes) {
    void* const block = ask(bytes);
    asm volatile("" ::: "memory");
    return block;
}

inline PlannedSite site_of(void* (*asks)(std::size_t), SitePlace place, std::string_view name) {
    default_heap::release(asks(1));
    const auto code = reinterpret_cast<std::uintptr_t>(g_caller);
    PlannedSite site;
    auto look = [&](const os::LoadedModule& module) {
        if (code >= module.begin && code < module.end) {
            site.module.size = static_cast<std::uint8_t>(std::min<std::size_t>(module.build_id.size(), BuildId::kBytesMax));
            std::copy_n(module.build_id.begin(), site.module.size, site.module.bytes.begin());
            site.returns.values[site.returns.count++] = code - module.bias;
        }
    };
    os::for_each_module(look);
    REQUIRE(site.module.size != 0);
    site.place = place;
    REQUIRE(site.name.append(name));
    return site;
}

/// The plan of this process: made once, by whichever test comes first.
struct TestPlan {
    PlaceId bump, other_bump, pool, heap;

    TestPlan() {
        // A block from before, which stays what it was.
        before = default_heap::allocate(100);
        bump = placement::add_place(SitePlace::bump, "bump");
        other_bump = placement::add_place(SitePlace::bump, "other bump");
        pool = placement::add_place(SitePlace::pool, "pool");
        heap = placement::add_place(SitePlace::heap, "heap");
        PlannedSite passing = site_of(ask_for_passing, SitePlace::bump, "passing");
        passing.min_bytes = 16;
        passing.max_bytes = 1000;
        CHECK(placement::add_site(passing));
        CHECK(placement::add_site(site_of(ask_for_lasting, SitePlace::pool, "lasting")));
        PlannedSite absent = passing;
        absent.module.bytes[0] ^= 0xFF;
        CHECK(placement::add_site(absent));
        CHECK(placement::begin());
        CHECK(placement::resolve());
        CHECK_FALSE(placement::begin());
        default_heap::release(before);
    }
    void* before = nullptr;

    [[nodiscard]] PlaceStatistics look(std::string_view name) const {
        PlaceStatistics found;
        for (std::uint32_t i = 0; placement::statistics_of(i, found); ++i) {
            if (found.name == name) {
                return found;
            }
        }
        FAIL("no place of that name");
        return found;
    }
};
inline const TestPlan& plan() {
    static const TestPlan the_plan;
    return the_plan;
}

inline const char* broken_place() {
    for (std::uint32_t place = 1; place <= heap::g_place_count.load(); ++place) {
        if (const char* const broken = heap::g_places[place]->bump.broken_invariant(); broken != nullptr) {
            return broken;
        }
        if (const char* const broken = heap::g_places[place]->core.broken_invariant(); broken != nullptr) {
            return broken;
        }
    }
    return nullptr;
}

}  // namespace heapwright::test
