// What a memory.toml says, as plain values that the library and the preload library read alike.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

namespace heapwright {

/// A short text of its own, so that a configuration is one plain value: no allocation, no lifetime. The letters behind its
/// end are zero: equal texts are equal bytes.
template <std::size_t LettersMax>
class ConfigTextOf {
public:
    static constexpr std::size_t kLettersMax = LettersMax;

    constexpr ConfigTextOf() noexcept = default;

    /// Returns:  false when it does not fit; then nothing changed.
    [[nodiscard]] constexpr bool append(std::string_view text) noexcept {
        if (text.size() > kLettersMax - size_) {
            return false;
        }
        for (const char letter : text) {
            letters_[size_++] = letter;
        }
        return true;
    }
    constexpr void clear() noexcept { *this = ConfigTextOf(); }

    [[nodiscard]] constexpr std::string_view view() const noexcept { return {letters_.data(), size_}; }
    [[nodiscard]] constexpr const char* c_str() const noexcept { return letters_.data(); }
    [[nodiscard]] constexpr bool empty() const noexcept { return size_ == 0; }

    friend constexpr bool operator==(const ConfigTextOf&, const ConfigTextOf&) noexcept = default;

private:
    std::uint16_t size_ = 0;
    std::array<char, kLettersMax + 1> letters_{};
};
using ConfigText = ConfigTextOf<510>;
using FileNameText = ConfigTextOf<255>;  // Linux has no longer ones

/// A part of a whole, in millionths: exact, so that what is printed is what was read.
struct Share {
    static constexpr std::uint32_t kWhole = 1'000'000;

    std::uint32_t millionths = 0;

    /// Whether `part` of `whole` is more than this share. Cost: exact, without floating point.
    [[nodiscard]] constexpr bool is_exceeded_by(std::uint64_t part, std::uint64_t whole) const noexcept {
        __extension__ using Wide = unsigned __int128;
        return Wide{part} * kWhole > Wide{whole} * millionths;
    }
    friend constexpr bool operator==(const Share&, const Share&) noexcept = default;
};

/// Sizes in ascending order, at most kMost. Those behind the last are 0.
struct SizeList {
    static constexpr std::size_t kMost = 32;  // as many sizes as a MultiPool takes

    std::uint32_t count = 0;
    std::array<std::uint64_t, kMost> values{};

    constexpr SizeList() noexcept = default;
    /// Requires: at most kMost sizes, ascending.
    constexpr SizeList(std::initializer_list<std::uint64_t> sizes) noexcept {
        for (const std::uint64_t size : sizes) {
            values[count++] = size;
        }
    }
    [[nodiscard]] constexpr std::span<const std::uint64_t> view() const noexcept { return {values.data(), count}; }
    friend constexpr bool operator==(const SizeList&, const SizeList&) noexcept = default;
};

/// Whose malloc `heapwright run` puts into the program.
enum class MallocStrategy : std::uint8_t { heapwright, heapwright_secure, glibc, mimalloc, jemalloc, tcmalloc, tbbmalloc };
enum class HugePageWish : std::uint8_t { by_default, always, never };
/// How a heap's figures are written.
enum class FigureFormat : std::uint8_t { text, json, openmetrics };
enum class HeapCompaction : std::uint8_t { off, mesh };
/// Where the blocks of a planned site go.
enum class SitePlace : std::uint8_t { by_default, pool, bump, heap };

/// [allocator]: the malloc of a program, and the arenas that ConfiguredMemory makes.
struct AllocatorConfig {
    bool enable_custom_allocator = true;
    MallocStrategy strategy = MallocStrategy::heapwright;
    ConfigText settings;  ///< of the strategy, parted by commas
    std::uint64_t arena_size_bytes = std::uint64_t{16} << 10;
    std::uint64_t largest_chunk_bytes = std::uint64_t{4} << 20;
    std::uint64_t max_chunks = 0;         ///< of each arena; 0: no limit
    std::uint64_t arena_limit_bytes = 0;  ///< of each arena; 0: no limit
    std::uint64_t max_arenas = 0;         ///< at one time; 0: no limit
    friend bool operator==(const AllocatorConfig&, const AllocatorConfig&) noexcept = default;
};

inline constexpr SizeList kPoolSizesByDefault{16, 32, 64, 128, 256, 512, 1024};

/// [pools]
struct PoolsConfig {
    bool enabled = true;
    SizeList block_sizes = kPoolSizesByDefault;
    std::uint64_t blocks_per_size = 0;  ///< 0: no limit
    bool enable_reference_counting = false;
    friend bool operator==(const PoolsConfig&, const PoolsConfig&) noexcept = default;
};

/// [gc]
struct CollectorConfig {
    bool enabled = false;
    std::uint64_t threshold_bytes = std::uint64_t{4} << 20;
    std::uint64_t interval_ns = 0;  ///< 0: by bytes only
    bool enable_compaction = false;
    Share growth{Share::kWhole / 2};     ///< of what survived: allocated before everything is looked at again
    std::uint64_t pause_ns = 3'000'000;  ///< what a step of marking may take
    std::uint64_t limit_bytes = 0;       ///< of each heap; 0: no limit
    friend bool operator==(const CollectorConfig&, const CollectorConfig&) noexcept = default;
};

/// [fragmentation]
struct FragmentationConfig {
    bool monitor_enabled = false;
    Share defragmentation_threshold{Share::kWhole / 2};
    std::uint64_t analysis_interval_ns = 10'000'000'000;
    bool enable_auto_defragmentation = false;
    Share defragmentation_cpu{Share::kWhole / 20};    ///< of a core, in the background
    std::uint64_t defragmentation_step_ns = 200'000;  ///< nobody reaches a movable object for so long
    friend bool operator==(const FragmentationConfig&, const FragmentationConfig&) noexcept = default;
};

/// [heap]: what HEAPWRIGHT_CONF can say as well.
struct HeapConfig {
    std::uint64_t purge_delay_ns = 500'000'000;
    bool background = true;
    bool give_back = true;
    HugePageWish huge_pages = HugePageWish::by_default;
    std::uint64_t limit_bytes = 0;  ///< 0: no limit
    bool statistics_at_exit = false;
    FigureFormat statistics_format = FigureFormat::text;
    std::uint64_t reserve_bytes = 0;  ///< whole GiB; 0: chosen by the machine's memory
    HeapCompaction compaction = HeapCompaction::off;
    bool mixed_spans = true;  ///< sparse spans become room for blocks of any size
    friend bool operator==(const HeapConfig&, const HeapConfig&) noexcept = default;
};

/// [monitor]: where the monitor's figures go. An empty text or a 0 is nowhere.
struct MonitorConfig {
    ConfigText metrics_file;
    ConfigText json_file;
    ConfigText socket;
    std::uint64_t http_port = 0;
    ConfigText program;  ///< the only program that is to have a monitor; empty: any
    bool in_children = false;
    friend bool operator==(const MonitorConfig&, const MonitorConfig&) noexcept = default;

    [[nodiscard]] bool exports_anything() const noexcept {
        return !metrics_file.empty() || !json_file.empty() || !socket.empty() || http_port != 0;
    }
};

struct MemoryConfig {
    AllocatorConfig allocator;
    PoolsConfig pools;
    CollectorConfig gc;
    FragmentationConfig fragmentation;
    HeapConfig heap;
    MonitorConfig monitor;
    friend bool operator==(const MemoryConfig&, const MemoryConfig&) noexcept = default;
};

/// The bytes of a program's build id; short ones are padded with zeros.
struct BuildId {
    static constexpr std::size_t kBytesMax = 20;

    std::uint8_t size = 0;
    std::array<std::uint8_t, kBytesMax> bytes{};
    friend constexpr bool operator==(const BuildId&, const BuildId&) noexcept = default;
};

/// Offsets of return addresses in their module, the innermost first.
struct OffsetList {
    static constexpr std::size_t kMost = 8;

    std::uint32_t count = 0;
    std::array<std::uint64_t, kMost> values{};
    [[nodiscard]] constexpr std::span<const std::uint64_t> view() const noexcept { return {values.data(), count}; }
    friend constexpr bool operator==(const OffsetList&, const OffsetList&) noexcept = default;
};

/// A return address in a module that has to be named with it.
struct CallerCode {
    BuildId module;
    FileNameText file;  ///< of the module, as PlannedSite::file
    std::uint64_t offset = 0;
    friend bool operator==(const CallerCode&, const CallerCode&) noexcept = default;
};

/// Callers beyond the site's own module, the innermost first.
struct CallerList {
    static constexpr std::size_t kMost = OffsetList::kMost - 1;

    std::uint32_t count = 0;
    std::array<CallerCode, kMost> values{};
    [[nodiscard]] constexpr std::span<const CallerCode> view() const noexcept { return {values.data(), count}; }
    friend bool operator==(const CallerList&, const CallerList&) noexcept = default;
};

/// One [[site]]: calls from this code, of blocks of these sizes, go there.
struct PlannedSite {
    BuildId module;
    ConfigText file;  ///< of the module, without its folder; tells another build from what is not loaded
    OffsetList returns;
    CallerList callers;  ///< further out than the last of `returns`; with those kMost return addresses at most
    std::uint64_t min_bytes = 0;
    std::uint64_t max_bytes = UINT64_MAX >> 1;
    SitePlace place = SitePlace::by_default;
    ConfigText name;  ///< for people and for the statistics
    friend bool operator==(const PlannedSite&, const PlannedSite&) noexcept = default;
};

}  // namespace heapwright
