// The placement plan of the memory.toml that HEAPWRIGHT_CONFIG names, and calls that tell the place by its number.
#include "plan.hpp"

#include <cstddef>
#include <cstdint>

#include "family.hpp"

#include <heapwright/alloc/heap/placement.hpp>
#include <heapwright/base/platform.hpp>
#include <heapwright/base/text.hpp>
#include <heapwright/config/reader.hpp>
#include <heapwright/os/maps.hpp>
#include <heapwright/os/report.hpp>
#include <heapwright/trace/stack/rule_cache.hpp>

namespace heapwright::preload {

namespace {

using trace::stack::Rule;
using trace::stack::RuleCache;
using trace::stack::RuleKind;

/// Rules of the return addresses that the plan names; learnt when their module is found, one at a time.
constinit RuleCache rules;
constinit char maps_buffer[os::kMapsBufferBytes];

bool find_step(std::uintptr_t code, placement::FrameStep& step) noexcept {
    const Rule rule = rules.lookup(code, maps_buffer).rule;
    if (rule.kind() != RuleKind::from_rsp && rule.kind() != RuleKind::from_rbp) {
        return false;
    }
    step = {.by_rbp = rule.kind() == RuleKind::from_rbp,
            .saves_rbp = rule.saves_rbp(),
            .cfa_offset = static_cast<std::int32_t>(rule.cfa_offset()),
            .rbp_offset = static_cast<std::int32_t>(rule.rbp_offset())};
    return true;
}

}  // namespace

HEAPWRIGHT_NOINLINE void begin_plan() noexcept {
    bool has_room = true;
    bool has_contexts = false;
    std::uint32_t sites = 0;
    auto take = [&](const PlannedSite& site) {
        has_room = placement::add_site(site) && has_room;
        has_contexts = has_contexts || site.returns.count + site.callers.count > 1;
        ++sites;
    };
    MemoryConfig config;
    if (!config::read_memory_config_of_process(config, take) || sites == 0) {
        return;
    }
    Text<512> line;
    if (!has_room) {
        line.append("heapwright: the placement plan has too many places: more than ").append_decimal(placement::kMostPlaces);
        line.append("; give entries that may share one the same name; the rest has no effect");
        os::write_stderr_line(line.view());
        line.clear();
    }
    if (has_contexts && rules.open(sites * OffsetList::kMost)) {
        placement::set_step_source(find_step);
    }
    placement::resolve();
    placement::begin();
    placement::append_absent(line);
    if (!line.view().empty()) {
        os::write_stderr_line(line.view());
    }
}

}  // namespace heapwright::preload

namespace {

using heapwright::placement::PlaceId;
using heapwright::preload::refuse;

PlaceId place_of(unsigned place) noexcept { return static_cast<PlaceId>(place); }
void* or_refuse(void* block) noexcept { return block != nullptr ? block : refuse(); }

}  // namespace

extern "C" {

HEAPWRIGHT_EXPORT unsigned heapwright_add_place(int kind, const char* name) {
    constexpr int kLast = static_cast<int>(heapwright::SitePlace::heap);
    const bool is_known = kind >= 0 && kind <= kLast;
    const auto place = is_known ? static_cast<heapwright::SitePlace>(kind) : heapwright::SitePlace::by_default;
    return static_cast<unsigned>(heapwright::placement::add_place(place, name == nullptr ? "" : name));
}

HEAPWRIGHT_EXPORT int heapwright_follow_plan() { return heapwright::placement::begin() ? 1 : 0; }

HEAPWRIGHT_EXPORT void* heapwright_malloc_at(unsigned place, std::size_t bytes) {
    return or_refuse(heapwright::placement::allocate_at(place_of(place), bytes));
}

HEAPWRIGHT_EXPORT void* heapwright_calloc_at(unsigned place, std::size_t count, std::size_t bytes_each) {
    std::size_t bytes = 0;
    if (__builtin_mul_overflow(count, bytes_each, &bytes)) {
        return refuse();
    }
    return or_refuse(heapwright::placement::allocate_zeroed_at(place_of(place), bytes));
}

HEAPWRIGHT_EXPORT void* heapwright_realloc_at(unsigned place, void* block, std::size_t bytes) {
    return block == nullptr ? heapwright_malloc_at(place, bytes)
                            : or_refuse(heapwright::placement::reallocate_at(place_of(place), block, bytes));
}

HEAPWRIGHT_EXPORT void* heapwright_memalign_at(unsigned place, std::size_t alignment, std::size_t bytes) {
    return or_refuse(heapwright::placement::allocate_aligned_at(place_of(place), bytes, alignment));
}

}  // extern "C"
