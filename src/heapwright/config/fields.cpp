// The table of every key: what is added here is read, checked, printed and explained.
#include <cstddef>

#include <heapwright/config/schema.hpp>

namespace heapwright::config {

namespace {

/// Finds a member of a section of a MemoryConfig.
template <auto SectionMember, auto Member>
void* in(void* config) noexcept {
    return &((static_cast<MemoryConfig*>(config)->*SectionMember).*Member);
}
template <auto Member>
void* of_site(void* site) noexcept {
    return &(static_cast<PlannedSite*>(site)->*Member);
}

constexpr auto kAllocator = &MemoryConfig::allocator;
constexpr auto kPools = &MemoryConfig::pools;
constexpr auto kGc = &MemoryConfig::gc;
constexpr auto kFragmentation = &MemoryConfig::fragmentation;
constexpr auto kHeap = &MemoryConfig::heap;
constexpr auto kMonitor = &MemoryConfig::monitor;

constexpr std::uint64_t kKib = 1024;
constexpr std::uint64_t kMib = kKib << 10;
constexpr std::uint64_t kTib = kKib << 30;
constexpr std::uint64_t kMs = 1'000'000;
constexpr std::uint64_t kDay = 86'400'000 * kMs;
constexpr std::uint64_t kCountMost = std::uint64_t{1} << 40;

constexpr std::string_view kFlag = "true or false";
constexpr std::string_view kSize = R"(a size, as in "64KiB")";
constexpr std::string_view kSizeOrNone = R"(a size, as in "4GiB", or 0 for no limit)";
constexpr std::string_view kTime = R"(a time, as in "10s" or "250ms")";
constexpr std::string_view kCountOrNone = "a whole number, or 0 for no limit";
constexpr std::string_view kPath = R"(a path, or "" for none; %p stands for the process id)";

constexpr std::string_view kStrategies[] = {"heapwright", "heapwright-secure", "glibc", "mimalloc", "jemalloc", "tcmalloc", "tbbmalloc"};
constexpr std::string_view kHugePages[] = {"default", "always", "never"};
constexpr std::string_view kFormats[] = {"text", "json", "openmetrics"};
constexpr std::string_view kCompactions[] = {"off", "mesh"};
constexpr std::string_view kPlaces[] = {"default", "pool", "bump", "heap"};

constexpr std::string_view kRun = "heapwright run";
constexpr std::string_view kArenas = "arenas made by ConfiguredMemory";
constexpr std::string_view kPoolSets = "pools made by ConfiguredMemory";
constexpr std::string_view kCollectors = "collected heaps made by ConfiguredMemory";
constexpr std::string_view kMovables = "heaps of movable objects, by movable_heap_options() and duty_of()";
constexpr std::string_view kMonitors = "the monitor, in libheapwright.so and in C++";
constexpr std::string_view kMalloc = "libheapwright.so, and in C++ apply()";
constexpr std::string_view kPreload = "libheapwright.so";

// Tables: what each column is stands in schema.hpp.
// NOLINTBEGIN(modernize-use-designated-initializers)
constexpr Field kAllocatorFields[] = {
    {"enable_custom_allocator", FieldKind::flag, in<kAllocator, &AllocatorConfig::enable_custom_allocator>, kFlag,
     "whether the program gets another malloc at all", kRun},
    {"strategy", FieldKind::word, in<kAllocator, &AllocatorConfig::strategy>, R"(the name of an allocator, as in "heapwright")",
     "whose malloc the program gets", kRun, 0, UINT64_MAX, kStrategies},
    {"settings", FieldKind::texts, in<kAllocator, &AllocatorConfig::settings>, R"(a list of texts, as in ["arena_max=2"])",
     "settings of the strategy, as 'heapwright replay --try' has them", kRun},
    {"arena_size", FieldKind::size, in<kAllocator, &AllocatorConfig::arena_size_bytes>, kSize, "the first chunk of an arena", kArenas, kKib,
     kTib},
    {"largest_chunk", FieldKind::size, in<kAllocator, &AllocatorConfig::largest_chunk_bytes>, kSize,
     "what the chunks of an arena grow to, each twice its predecessor", kArenas, kKib, kTib},
    {"max_chunks", FieldKind::count, in<kAllocator, &AllocatorConfig::max_chunks>, kCountOrNone, "chunks that an arena may have", kArenas,
     0, kCountMost},
    {"arena_limit", FieldKind::size, in<kAllocator, &AllocatorConfig::arena_limit_bytes>, kSizeOrNone, "memory that an arena may have",
     kArenas},
    {"max_arenas", FieldKind::count, in<kAllocator, &AllocatorConfig::max_arenas>, kCountOrNone, "arenas that may exist at one time",
     kArenas, 0, kCountMost},
};

constexpr Field kPoolFields[] = {
    {"enabled", FieldKind::flag, in<kPools, &PoolsConfig::enabled>, kFlag,
     "whether there are pools; without them every block comes from the heap", kPoolSets},
    {"block_sizes", FieldKind::sizes, in<kPools, &PoolsConfig::block_sizes>, R"(a list of ascending sizes, as in [16, 64, "1KiB"])",
     "the sizes that have a pool", kPoolSets, 8, kMib},
    {"blocks_per_size", FieldKind::count, in<kPools, &PoolsConfig::blocks_per_size>, kCountOrNone,
     "blocks that a pool may have in the program's hands", kPoolSets, 0, kCountMost},
    {"enable_reference_counting", FieldKind::flag, in<kPools, &PoolsConfig::enable_reference_counting>, kFlag,
     "whether pools give blocks that count their owners", kPoolSets},
};

constexpr Field kGcFields[] = {
    {"enabled", FieldKind::flag, in<kGc, &CollectorConfig::enabled>, kFlag, "whether collected heaps collect by themselves", kCollectors},
    {"threshold", FieldKind::size, in<kGc, &CollectorConfig::threshold_bytes>, kSize, "bytes allocated before the first collection",
     kCollectors, 4 * kKib, kTib},
    {"interval", FieldKind::duration, in<kGc, &CollectorConfig::interval_ns>, R"(a time, as in "10s", or 0 for none)",
     "the longest time between collections while the program allocates", kCollectors, 0, kDay},
    {"enable_compaction", FieldKind::flag, in<kGc, &CollectorConfig::enable_compaction>, kFlag,
     "whether a collection may move objects together", kCollectors},
    {"growth", FieldKind::share, in<kGc, &CollectorConfig::growth>, R"(a share, as in "50%" or 0.5)",
     "the share of what survived by which a heap grows before everything in it is looked at again", kCollectors},
    {"pause", FieldKind::duration, in<kGc, &CollectorConfig::pause_ns>, kTime, "how long a step of marking may take", kCollectors, kMs / 10,
     10'000 * kMs},
    {"limit", FieldKind::size, in<kGc, &CollectorConfig::limit_bytes>, kSizeOrNone, "memory that a collected heap may have", kCollectors},
};

constexpr Field kFragmentationFields[] = {
    {"monitor_enabled", FieldKind::flag, in<kFragmentation, &FragmentationConfig::monitor_enabled>, kFlag,
     "whether a thread in the program measures fragmentation", kMonitors},
    {"defragmentation_threshold", FieldKind::share, in<kFragmentation, &FragmentationConfig::defragmentation_threshold>,
     R"(a share, as in "30%" or 0.3)", "the share of the heap's memory that holds no block, above which it is too much", kMonitors},
    {"analysis_interval", FieldKind::duration, in<kFragmentation, &FragmentationConfig::analysis_interval_ns>, kTime,
     "time between two measurements", kMonitors, 10 * kMs, kDay},
    {"enable_auto_defragmentation", FieldKind::flag, in<kFragmentation, &FragmentationConfig::enable_auto_defragmentation>, kFlag,
     "whether memory is given back, and what can be compacted is, when it is too much", kMonitors},
    {"defragmentation_cpu", FieldKind::share, in<kFragmentation, &FragmentationConfig::defragmentation_cpu>,
     R"(a share, as in "5%" or 0.05)", "the part of a core that compacting movable objects in the background may take", kMovables},
    {"defragmentation_step", FieldKind::duration, in<kFragmentation, &FragmentationConfig::defragmentation_step_ns>, kTime,
     "for how long, about, threads wait for movable objects to be moved", kMovables, kMs / 100, 100 * kMs},
};

constexpr Field kHeapFields[] = {
    {"purge_delay", FieldKind::duration, in<kHeap, &HeapConfig::purge_delay_ns>, kTime,
     "how long free memory stays before it is given back", kMalloc, 0, kDay},
    {"background", FieldKind::flag, in<kHeap, &HeapConfig::background>, kFlag, "whether a thread of the heap's own watches the clock",
     kMalloc},
    {"give_back", FieldKind::flag, in<kHeap, &HeapConfig::give_back>, kFlag, "whether free memory goes back to the operating system",
     kMalloc},
    {"huge_pages", FieldKind::word, in<kHeap, &HeapConfig::huge_pages>, R"("default", "always" or "never")",
     "what the kernel is asked for; default: as the machine is set", kPreload, 0, UINT64_MAX, kHugePages},
    {"limit", FieldKind::size, in<kHeap, &HeapConfig::limit_bytes>, kSizeOrNone, "bytes in use beyond which requests are refused", kMalloc},
    {"statistics_at_exit", FieldKind::flag, in<kHeap, &HeapConfig::statistics_at_exit>, kFlag,
     "whether the heap's figures go to stderr when the program ends", kPreload},
    {"statistics_format", FieldKind::word, in<kHeap, &HeapConfig::statistics_format>, R"("text", "json" or "openmetrics")",
     "how those figures are written", kPreload, 0, UINT64_MAX, kFormats},
    {"reserve", FieldKind::size, in<kHeap, &HeapConfig::reserve_bytes>,
     R"(whole GiB, as in "64GiB", or 0 to choose by the machine's memory)", "addresses set aside for the first region", "libheapwright.so",
     0, 64 * kTib},
    {"compaction", FieldKind::word, in<kHeap, &HeapConfig::compaction>, R"("off" or "mesh")",
     "whether pages whose blocks lie at different places may share memory", kMalloc, 0, UINT64_MAX, kCompactions},
    {"mixed_spans", FieldKind::flag, in<kHeap, &HeapConfig::mixed_spans>, kFlag,
     "whether spans of a size that is no longer asked for become room for blocks of any size", kMalloc},
};

constexpr Field kMonitorFields[] = {
    {"metrics_file", FieldKind::text, in<kMonitor, &MonitorConfig::metrics_file>, kPath,
     "a file of OpenMetrics, new after each measurement", kMonitors},
    {"json_file", FieldKind::text, in<kMonitor, &MonitorConfig::json_file>, kPath, "the same figures as JSON", kMonitors},
    {"socket", FieldKind::text, in<kMonitor, &MonitorConfig::socket>, kPath,
     "a unix socket that answers GET /metrics and GET /metrics.json", kMonitors, 0, 100},
    {"http_port", FieldKind::count, in<kMonitor, &MonitorConfig::http_port>, "a port, or 0 for none",
     "a port of 127.0.0.1 that answers the same", kMonitors, 0, 65535},
    {"program", FieldKind::text, in<kMonitor, &MonitorConfig::program>, R"(the file name of a program, or "" for any)",
     "which of the programs that inherit the environment has a monitor", kMonitors},
    {"in_children", FieldKind::flag, in<kMonitor, &MonitorConfig::in_children>, kFlag,
     "whether children that the program forks have a monitor too; it listens on sockets with %p in their path only", kMonitors},
};

constexpr std::string_view kPlan = "the placement plan of libheapwright.so";

constexpr Field kSiteFields[] = {
    {"name", FieldKind::text, of_site<&PlannedSite::name>, "a text", "what people call this code", kPlan},
    {"module", FieldKind::build_id, of_site<&PlannedSite::module>, "a build id: hexadecimal digits in quotes",
     "the program or library that the code is in; another build is left alone", kPlan},
    {"file", FieldKind::text, of_site<&PlannedSite::file>, R"(a file name without a folder, or "")",
     "the name of that program or library; another build of it is told in one line", kPlan},
    {"returns", FieldKind::offsets, of_site<&PlannedSite::returns>, "a list of at most 8 offsets, as in [0x1a2b]",
     "offsets in the module of the return addresses that lead to malloc, the innermost first", kPlan, 0, INT64_MAX},
    {"callers", FieldKind::callers, of_site<&PlannedSite::callers>,
     R"(a list of at most 7 texts, as in ["83af0e+0x1a2b server"]: build id, offset, file name)",
     "return addresses further out, in other modules or back in this one; where the same code is called for many purposes", kPlan},
    {"min_bytes", FieldKind::size, of_site<&PlannedSite::min_bytes>, kSize, "smaller requests are not meant", kPlan, 0, INT64_MAX},
    {"max_bytes", FieldKind::size, of_site<&PlannedSite::max_bytes>, kSize, "larger requests are not meant", kPlan, 0, INT64_MAX},
    {"place", FieldKind::word, of_site<&PlannedSite::place>, R"("pool", "bump", "heap" or "default")",
     "a pool of the site's own, chunks that are reused when their last block is freed, a heap of its own, or nothing special", kPlan, 0,
     UINT64_MAX, kPlaces},
};

constexpr Section kSections[] = {
    {"allocator", "which malloc the program gets; the arenas of the library", kAllocatorFields},
    {"pools", "pools of the library", kPoolFields},
    {"gc", "collected heaps of the library", kGcFields},
    {"fragmentation", "when fragmentation is measured, and acted on", kFragmentationFields},
    {"heap", "the heap behind malloc; HEAPWRIGHT_CONF overrides it", kHeapFields},
    {"monitor", "where measurements go; whoever names a place has a monitor", kMonitorFields},
};
constexpr Section kSite{"site", "one entry of the placement plan: calls from here, of these sizes, go there", kSiteFields};
// NOLINTEND(modernize-use-designated-initializers)

}  // namespace

std::span<const Section> sections() noexcept { return kSections; }
const Section& site_section() noexcept { return kSite; }

}  // namespace heapwright::config
