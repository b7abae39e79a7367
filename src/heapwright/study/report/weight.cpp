#include <heapwright/study/report/weight.hpp>

namespace heapwright::study {

std::string_view name_of(Weight weight) {
    static constexpr std::array<std::string_view, kWeightCount> kNames = {"peak",      "leaked",           "allocated",      "allocations",
                                                                          "temporary", "pinned_free_peak", "pinned_free_end"};
    return kNames[static_cast<std::size_t>(weight)];
}

std::optional<Weight> weight_of(std::string_view name) {
    for (const Weight weight : kWeights) {
        if (name_of(weight) == name) {
            return weight;
        }
    }
    return std::nullopt;
}

bool is_bytes(Weight weight) { return weight != Weight::allocations && weight != Weight::temporary; }

std::uint64_t value_of(const Site& site, Weight weight) {
    switch (weight) {
        case Weight::peak: return site.live_at_peak.requested_bytes;
        case Weight::leaked: return site.leaked.requested_bytes;
        case Weight::allocated: return site.allocated_bytes;
        case Weight::allocations: return site.allocations;
        case Weight::temporary: return site.temporary;
        case Weight::pinned_free_peak: return site.pinned_free_bytes_at_peak;
        case Weight::pinned_free_end: return site.pinned_free_bytes_at_end;
    }
    return 0;
}

Weights weights_of(const Site& site) {
    Weights values{};
    for (const Weight weight : kWeights) {
        values[static_cast<std::size_t>(weight)] = value_of(site, weight);
    }
    return values;
}

}  // namespace heapwright::study
