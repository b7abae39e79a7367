// How long blocks live: over all sites, by size.
#pragma once

#include <array>
#include <cstdint>

#include <heapwright/study/analysis/findings.hpp>
#include <heapwright/study/analysis/histogram.hpp>
#include <heapwright/study/analysis/scale.hpp>

namespace heapwright::study {

/// Counts each released block once, from its first allocation to its release.
///
/// Thread safety: one caller.
class Lifetimes {
public:
    explicit Lifetimes(const Scale& scale) : scale_(scale) {}

    void released(std::uint64_t size, std::uint64_t lifetime_ns) {
        const std::size_t lifetime = log2_bucket(lifetime_ns, kLifetimeBuckets);
        const std::uint64_t weight = scale_.weight(size);
        bytes_[lifetime] += size * weight;
        by_size_[lifetime][log2_bucket(size, kSizeBuckets)] += weight;
    }

    void finish(Findings& findings) const {
        for (std::size_t lifetime = 0; lifetime < kLifetimeBuckets; ++lifetime) {
            std::uint64_t blocks = 0;
            for (std::size_t size = 0; size < kSizeBuckets; ++size) {
                blocks += by_size_[lifetime][size];
                findings.lifetime_by_size[lifetime][size] = scale_.to_count(by_size_[lifetime][size]);
            }
            findings.lifetimes[lifetime] = scale_.to_count(blocks);
            findings.lifetime_bytes[lifetime] = scale_.to_count(bytes_[lifetime]);
        }
    }

private:
    const Scale& scale_;
    std::array<std::uint64_t, kLifetimeBuckets> bytes_{};
    std::array<std::array<std::uint64_t, kSizeBuckets>, kLifetimeBuckets> by_size_{};
};

}  // namespace heapwright::study
