#include <heapwright/study/replay/comparison.hpp>

#include <algorithm>
#include <cmath>

#include <heapwright/study/paired/median.hpp>

namespace heapwright::study {

namespace {

/// How often a's value stands above b's, ties half.
double wins(const std::vector<double>& a, const std::vector<double>& b) {
    double sum = 0;
    for (const double x : a) {
        for (const double y : b) {
            sum += x > y ? 1 : x == y ? 0.5 : 0;
        }
    }
    return sum;
}

/// ways[u]: in how many orders of n and m values without ties the first sample wins u times.
std::vector<double> orders_by_wins(std::size_t n, std::size_t m) {
    // f(n, m, u) = f(n - 1, m, u - m) + f(n, m - 1, u): the largest value belongs to the one sample or to the other.
    std::vector<std::vector<std::vector<double>>> table(n + 1, std::vector<std::vector<double>>(m + 1, std::vector<double>(n * m + 1, 0)));
    for (std::size_t i = 0; i <= n; ++i) {
        for (std::size_t j = 0; j <= m; ++j) {
            for (std::size_t u = 0; u <= i * j; ++u) {
                if (i == 0 || j == 0) {
                    table[i][j][u] = u == 0 ? 1 : 0;
                    continue;
                }
                table[i][j][u] = (u >= j ? table[i - 1][j][u - j] : 0) + table[i][j - 1][u];
            }
        }
    }
    return table[n][m];
}

}  // namespace

const char* name_of(Metric metric) {
    switch (metric) {
        case Metric::peak_rss: return "peak RSS";
        case Metric::mean_rss: return "mean RSS";
        case Metric::end_rss: return "RSS at the end";
        case Metric::retained: return "retained after the end";
        case Metric::floor: return "kept when all is freed";
        case Metric::cpu: return "CPU time";
        case Metric::wall: return "wall time";
        case Metric::allocator_time: return "time in the allocator";
        case Metric::minor_faults: return "page faults";
        case Metric::system_calls: return "system calls";
    }
    return "";
}

bool is_time(Metric metric) { return metric == Metric::cpu || metric == Metric::wall || metric == Metric::allocator_time; }
bool is_bytes(Metric metric) { return static_cast<unsigned>(metric) <= static_cast<unsigned>(Metric::floor); }

double value_of(const TrialRun& run, Metric metric) {
    const auto number = [](std::uint64_t value) { return static_cast<double>(value); };
    switch (metric) {
        case Metric::peak_rss: return number(run.peak_rss_bytes);
        case Metric::mean_rss: return number(run.mean_rss_bytes);
        case Metric::end_rss: return number(run.end_rss_bytes);
        case Metric::retained: return number(run.retained_bytes);
        case Metric::floor: return number(run.floor_bytes);
        case Metric::cpu: return number(run.cpu_ns);
        case Metric::wall: return number(run.wall_ns);
        case Metric::allocator_time: return number(run.allocator_ns);
        case Metric::minor_faults: return number(run.minor_faults);
        case Metric::system_calls: return number(run.system_calls);
    }
    return 0;
}

std::vector<double> TrialSummary::values(Metric metric) const {
    std::vector<double> all;
    for (const TrialRun& run : runs) {
        if (run.failure.empty()) {
            all.push_back(value_of(run, metric));
        }
    }
    return all;
}

Spread TrialSummary::spread(Metric metric) const {
    const std::vector<double> all = values(metric);
    if (all.empty()) {
        return {};
    }
    return {.median = median(all), .least = *std::min_element(all.begin(), all.end()), .most = *std::max_element(all.begin(), all.end())};
}

std::size_t TrialSummary::good_runs() const {
    return static_cast<std::size_t>(std::count_if(runs.begin(), runs.end(), [](const TrialRun& run) { return run.failure.empty(); }));
}

std::string TrialSummary::failure() const {
    if (good_runs() > 0) {
        return {};
    }
    return !spec.problem.empty() ? spec.problem : runs.empty() ? "trial '" + spec.label + "' was not run" : runs.front().failure;
}

const TrialRun* TrialSummary::typical() const {
    std::vector<const TrialRun*> good;
    for (const TrialRun& run : runs) {
        if (run.failure.empty()) {
            good.push_back(&run);
        }
    }
    if (good.empty()) {
        return nullptr;
    }
    std::sort(good.begin(), good.end(), [](const TrialRun* a, const TrialRun* b) { return a->peak_rss_bytes < b->peak_rss_bytes; });
    return good[good.size() / 2];
}

Difference compare(const std::vector<double>& baseline, const std::vector<double>& other) {
    Difference difference;
    if (baseline.empty() || other.empty()) {
        return difference;
    }
    const double base = median(baseline);
    const double value = median(other);
    difference.by = value - base;
    difference.ratio = base > 0 ? value / base : value > 0 ? INFINITY : 1;
    difference.p = mann_whitney_p(baseline, other);
    const bool apart = *std::max_element(other.begin(), other.end()) < *std::min_element(baseline.begin(), baseline.end()) ||
                       *std::min_element(other.begin(), other.end()) > *std::max_element(baseline.begin(), baseline.end());
    // Three against three is the least that can be told from chance at all; fewer runs prove nothing.
    difference.real = apart && baseline.size() >= 3 && other.size() >= 3 && std::fabs(difference.by) > kLeastRatio * base;
    return difference;
}

double mann_whitney_p(const std::vector<double>& a, const std::vector<double>& b) {
    if (a.empty() || b.empty()) {
        return 1;
    }
    const double u = wins(a, b);
    const double middle = static_cast<double>(a.size() * b.size()) / 2;
    const double distance = std::fabs(u - middle);
    const std::vector<double> ways = orders_by_wins(a.size(), b.size());
    double all = 0;
    double extreme = 0;
    for (std::size_t i = 0; i < ways.size(); ++i) {
        all += ways[i];
        extreme += std::fabs(static_cast<double>(i) - middle) >= distance - 1e-9 ? ways[i] : 0;
    }
    return extreme / all;
}

double Comparison::predicted_peak_rss_bytes(std::size_t trial) const {
    const TrialRun* const run = trials[trial].typical();
    if (run == nullptr || other_memory.empty() || run->curve.empty()) {
        return 0;
    }
    // Between two maps the rest of the process is taken to change evenly; the peak of the heap stands where the curve is highest.
    const auto other_at = [this](double progress) {
        const auto after = std::lower_bound(other_memory.begin(), other_memory.end(), progress,
                                            [](const OtherMemory& moment, double wanted) { return moment.progress < wanted; });
        if (after == other_memory.begin() || after == other_memory.end()) {
            return static_cast<double>(after == other_memory.end() ? other_memory.back().bytes : after->bytes);
        }
        const auto before = after - 1;
        const double width = after->progress - before->progress;
        const double share = width <= 0 ? 1 : (progress - before->progress) / width;
        return static_cast<double>(before->bytes) * (1 - share) + static_cast<double>(after->bytes) * share;
    };
    double highest = 0;
    const CurvePoint* top = &run->curve.front();
    for (const CurvePoint& point : run->curve) {
        highest = std::max(highest, static_cast<double>(point.resident_bytes) + other_at(point.progress));
        top = point.resident_bytes > top->resident_bytes ? &point : top;
    }
    return std::max(highest, static_cast<double>(run->peak_rss_bytes) + other_at(top->progress));
}

Difference Comparison::difference(std::size_t trial, Metric metric) const {
    return compare(trials[baseline].values(metric), trials[trial].values(metric));
}

std::optional<std::size_t> Comparison::best(Metric metric) const {
    std::optional<std::size_t> found;
    for (std::size_t i = 0; i < trials.size(); ++i) {
        if (i == baseline || trials[i].good_runs() == 0) {
            continue;
        }
        const Difference change = difference(i, metric);
        if (change.real && change.by < 0 && (!found || trials[i].spread(metric).median < trials[*found].spread(metric).median)) {
            found = i;
        }
    }
    return found;
}

}  // namespace heapwright::study
