// Reading meaning out of the info lines.
#include <heapwright/study/analysis/facts.hpp>

#include <charconv>

namespace heapwright::study {

std::uint64_t Facts::number(const std::string& key, std::uint64_t otherwise) const {
    const auto line = info.find(key);
    if (line == info.end()) {
        return otherwise;
    }
    std::uint64_t value = 0;
    const char* const end = line->second.data() + line->second.size();
    const auto [stop, error] = std::from_chars(line->second.data(), end, value);
    return error == std::errc{} && stop == end ? value : otherwise;
}

void Facts::settle() {
    usable.finish();
    scale = Scale(number("sample_interval_bytes"));
    auto readings = samples;
    if (const std::uint64_t tick = number("started_tick")) {
        trace::Sample started{};
        started.tick = tick;
        started.monotonic_ns = number("started_monotonic_ns");
        readings.push_back(started);
    }
    clock = TickClock(readings, outline.first_tick);
    is_forked = info.contains("parent_trace");
}

}  // namespace heapwright::study
