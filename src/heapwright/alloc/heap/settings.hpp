// What the user may set about the heap, read before main and without allocation: memory.toml and one variable beside it.
#pragma once

#include <cstdint>
#include <string_view>

#include <heapwright/base/text.hpp>
#include <heapwright/config/environment.hpp>
#include <heapwright/config/memory_config.hpp>

namespace heapwright {

inline constexpr const char* kHeapSettingsVariable = "HEAPWRIGHT_CONF";

/// What the heap asks of the kernel about transparent huge pages.
enum class HugePages : std::uint8_t { by_default, always, never };

/// What the figures at exit are written for: a reader, a program, a monitoring system.
enum class StatisticsFormat : std::uint8_t { text, json, openmetrics };

/// `HEAPWRIGHT_CONF="purge_delay:250ms,limit:4GiB,statistics_at_exit:yes"`: pairs in any order; what is missing keeps its
/// default.
struct HeapSettings {
    std::uint32_t purge_delay_ms = 500;            ///< `purge_delay:250ms`, how long free memory stays before it is given back
    bool background = true;                        ///< `background:no`, a thread of the heap's own watches the clock
    bool give_back = true;                         ///< `give_back:no`, free memory stays in the process
    HugePages huge_pages = HugePages::by_default;  ///< `huge_pages:always`, `never`, or `default`: as the machine is set
    std::uint64_t limit_bytes = 0;                 ///< `limit:4GiB`, more is refused; 0: no limit
    bool statistics_at_exit = false;               ///< `statistics_at_exit:yes`, on stderr
    StatisticsFormat statistics_format = StatisticsFormat::text;  ///< `statistics_format:json`, `openmetrics`, or `text`
    bool is_meshing = false;        ///< `compaction:mesh`, or `off`: spans may share memory (detail/mesher.hpp)
    bool mixed_spans = true;        ///< `mixed_spans:no`, no span ever holds blocks of two sizes
    std::uint32_t reserve_gib = 0;  ///< `reserve:64GiB`, addresses set aside; 0: chosen by the machine's memory
};

/// Takes the pairs of `text` over into `settings`. What is not understood changes nothing and adds a line to `complaints`:
/// an unknown key with the nearest known one, a bad value with what is expected. Lines are parted by a newline.
///
/// Example:  read_heap_settings("limit:1GiB", settings, complaints);
void read_heap_settings(std::string_view text, HeapSettings& settings, TextBuffer& complaints) noexcept;

/// Takes all of a configuration over: what it does not set has its default there, too.
void take_over(const HeapConfig& config, HeapSettings& settings) noexcept;

namespace detail {
/// For a process that may have some. Apart: one that has none needs nothing of what reads them in its memory.
[[nodiscard]] HeapSettings read_heap_settings_of_process() noexcept;
}  // namespace detail

/// The settings of this process: of the memory.toml that HEAPWRIGHT_CONFIG names, and over those the pairs of
/// HEAPWRIGHT_CONF. Complaints go to stderr, the first time. A process with raised rights has the defaults.
///
/// Cost:     a walk over the environment; before libc has it, /proc/self/environ is read.
/// Thread safety: nobody may change the environment meanwhile.
[[nodiscard]] inline HeapSettings heap_settings_of_process() noexcept {
    return config::may_be_configured() ? detail::read_heap_settings_of_process() : HeapSettings();
}

}  // namespace heapwright
