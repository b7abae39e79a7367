// An OS page is pinned by a site when nobody else's block stands on it.
#include <heapwright/study/analysis/pinning.hpp>

#include <cmath>

#include <heapwright/study/analysis/page_sweep.hpp>

namespace heapwright::study {

std::vector<Pinned> measure_pinning(const Snapshot& snapshot, const TouchedShares& touched, const UsableSizes& usable, std::size_t sites) {
    std::vector<Pinned> pinned(sites);
    sweep_pages(
        snapshot, usable,
        [&](const PageShare& page) {
            if (!page.is_shared) {
                pinned[page.site].bytes += kOsPageBytes;
                pinned[page.site].free_bytes += kOsPageBytes - page.bytes;
            }
        },
        [&](const FullPages& pages) {
            const double bytes = static_cast<double>((pages.end - pages.first) * kOsPageBytes) * touched.of_page(pages.first);
            pinned[pages.site].bytes += static_cast<std::uint64_t>(std::llround(bytes));
        });
    return pinned;
}

}  // namespace heapwright::study
