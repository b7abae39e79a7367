#include <heapwright/study/doctor/page_run.hpp>

#include <algorithm>

namespace heapwright::study::doctor {

PageRun::PageRun(std::uint64_t start, const std::vector<bool>& resident) : start_(start) {
    before_.reserve(resident.size() + 1);
    before_.push_back(0);
    for (const bool is_there : resident) {
        before_.push_back(before_.back() + (is_there ? 1U : 0U));
    }
}

PageRun::PageRun(std::uint64_t start, std::span<const std::uint64_t> words, std::uint64_t counted_bytes) : start_(start) {
    std::uint64_t present = 0;
    std::uint64_t certain = 0;
    for (const std::uint64_t bits : words) {
        const PageWord word{bits};
        present += word.is_present() ? 1U : 0U;
        certain += word.is_present() && (word.is_exclusive() || word.is_of_file()) ? 1U : 0U;
    }
    const std::uint64_t counted = counted_bytes >> kPageLog2;
    const auto distance = [counted](std::uint64_t pages) { return pages < counted ? counted - pages : pages - counted; };
    const bool takes_doubtful = distance(present) < distance(certain);
    before_.reserve(words.size() + 1);
    before_.push_back(0);
    for (const std::uint64_t bits : words) {
        const PageWord word{bits};
        const bool counts = word.is_present() && (takes_doubtful || word.is_exclusive() || word.is_of_file());
        before_.push_back(before_.back() + (counts ? 1U : 0U));
    }
}

std::uint64_t PageRun::resident_bytes(std::uint64_t from, std::uint64_t to) const {
    from = std::max(from, start_);
    to = std::min(to, end());
    if (from >= to) {
        return 0;
    }
    const std::uint64_t first = (from - start_) >> kPageLog2;
    const std::uint64_t last = (to - 1 - start_) >> kPageLog2;
    std::uint64_t bytes = std::uint64_t{before_[last + 1] - before_[first]} << kPageLog2;
    if (before_[first + 1] != before_[first]) {
        bytes -= (from - start_) & (kPageBytes - 1);
    }
    if (before_[last + 1] != before_[last]) {
        bytes -= page_up(to) - to;
    }
    return bytes;
}

std::uint64_t PageRun::next_resident(std::uint64_t address) const {
    if (!contains(address)) {
        return end();
    }
    const std::uint64_t page = (address - start_) >> kPageLog2;
    // The first place behind which more pages are resident than at `page`.
    const auto found = std::upper_bound(before_.begin() + static_cast<std::ptrdiff_t>(page), before_.end(), before_[page]);
    if (found == before_.end()) {
        return end();
    }
    const auto index = static_cast<std::uint64_t>(found - before_.begin()) - 1;
    return std::max(page_down(address), start_ + (index << kPageLog2));
}

}  // namespace heapwright::study::doctor
