#include <heapwright/study/replay/catalog.hpp>

namespace heapwright::study::detail {

namespace {

constexpr std::string_view kMimallocFiles[] = {"libmimalloc.so.3", "libmimalloc.so.2", "libmimalloc.so.2.0", "libmimalloc.so"};
constexpr std::string_view kJemallocFiles[] = {"libjemalloc.so.2", "libjemalloc.so"};
constexpr std::string_view kTcmallocFiles[] = {"libtcmalloc_minimal.so.4", "libtcmalloc.so.4", "libtcmalloc_minimal.so", "libtcmalloc.so"};
constexpr std::string_view kTbbmallocFiles[] = {"libtbbmalloc_proxy.so.2", "libtbbmalloc_proxy.so"};
constexpr std::string_view kHeapwrightFiles[] = {"libheapwright.so"};

constexpr Setting kGlibcSettings[] = {
    {.name = "arena_max", .variable = "MALLOC_ARENA_MAX", .entry = {}},
    {.name = "mmap_threshold", .variable = "MALLOC_MMAP_THRESHOLD_", .entry = {}, .unit = Unit::bytes},
    {.name = "trim_threshold", .variable = "MALLOC_TRIM_THRESHOLD_", .entry = {}, .unit = Unit::bytes},
    {.name = "top_pad", .variable = "MALLOC_TOP_PAD_", .entry = {}, .unit = Unit::bytes},
    {.name = "mmap_max", .variable = "MALLOC_MMAP_MAX_", .entry = {}},
    {.name = "tcache_count", .variable = "GLIBC_TUNABLES", .entry = "glibc.malloc.tcache_count", .separator = ':'},
    {.name = "tcache_max", .variable = "GLIBC_TUNABLES", .entry = "glibc.malloc.tcache_max", .separator = ':', .unit = Unit::bytes},
    {.name = "mxfast", .variable = "GLIBC_TUNABLES", .entry = "glibc.malloc.mxfast", .separator = ':', .unit = Unit::bytes},
    {.name = "hugetlb", .variable = "GLIBC_TUNABLES", .entry = "glibc.malloc.hugetlb", .separator = ':'},
};
// Version 2.0 calls the delay "reset", later ones "purge"; each ignores the other's variable.
constexpr Setting kMimallocSettings[] = {
    {.name = "purge_delay", .variable = "MIMALLOC_PURGE_DELAY", .entry = {}, .also = "MIMALLOC_RESET_DELAY"},
    {.name = "eager_commit_delay", .variable = "MIMALLOC_EAGER_COMMIT_DELAY", .entry = {}},
    {.name = "allow_large_os_pages", .variable = "MIMALLOC_ALLOW_LARGE_OS_PAGES", .entry = {}, .also = "MIMALLOC_LARGE_OS_PAGES"},
};
constexpr Setting kJemallocSettings[] = {
    {.name = "narenas", .variable = "MALLOC_CONF", .entry = "narenas", .assign = ':'},
    {.name = "dirty_decay_ms", .variable = "MALLOC_CONF", .entry = "dirty_decay_ms", .assign = ':'},
    {.name = "muzzy_decay_ms", .variable = "MALLOC_CONF", .entry = "muzzy_decay_ms", .assign = ':'},
    {.name = "background_thread", .variable = "MALLOC_CONF", .entry = "background_thread", .assign = ':', .unit = Unit::word},
    {.name = "tcache", .variable = "MALLOC_CONF", .entry = "tcache", .assign = ':', .unit = Unit::word},
    {.name = "lg_tcache_max", .variable = "MALLOC_CONF", .entry = "lg_tcache_max", .assign = ':'},
    {.name = "percpu_arena", .variable = "MALLOC_CONF", .entry = "percpu_arena", .assign = ':', .unit = Unit::word},
    {.name = "retain", .variable = "MALLOC_CONF", .entry = "retain", .assign = ':', .unit = Unit::word},
    {.name = "thp", .variable = "MALLOC_CONF", .entry = "thp", .assign = ':', .unit = Unit::word},
};
constexpr Setting kTcmallocSettings[] = {
    {.name = "release_rate", .variable = "TCMALLOC_RELEASE_RATE", .entry = {}},
    {.name = "aggressive_decommit", .variable = "TCMALLOC_AGGRESSIVE_DECOMMIT", .entry = {}, .unit = Unit::word},
    {.name = "max_total_thread_cache_bytes", .variable = "TCMALLOC_MAX_TOTAL_THREAD_CACHE_BYTES", .entry = {}, .unit = Unit::bytes},
};
constexpr Setting kTbbmallocSettings[] = {
    {.name = "huge_pages", .variable = "TBB_MALLOC_USE_HUGE_PAGES", .entry = {}},
};

// Values keep their units: the library reads "250ms" and "4GiB" itself.
constexpr Setting kHeapwrightSettings[] = {
    {.name = "purge_delay", .variable = "HEAPWRIGHT_CONF", .entry = "purge_delay", .assign = ':', .unit = Unit::word},
    {.name = "background", .variable = "HEAPWRIGHT_CONF", .entry = "background", .assign = ':', .unit = Unit::word},
    {.name = "give_back", .variable = "HEAPWRIGHT_CONF", .entry = "give_back", .assign = ':', .unit = Unit::word},
    {.name = "huge_pages", .variable = "HEAPWRIGHT_CONF", .entry = "huge_pages", .assign = ':', .unit = Unit::word},
    {.name = "limit", .variable = "HEAPWRIGHT_CONF", .entry = "limit", .assign = ':', .unit = Unit::bytes},
    {.name = "reserve", .variable = "HEAPWRIGHT_CONF", .entry = "reserve", .assign = ':', .unit = Unit::bytes},
};

constexpr Allocator kAllocators[] = {
    {.name = "glibc", .files = {}, .settings = kGlibcSettings, .package = "libc6"},
    {.name = "mimalloc", .files = kMimallocFiles, .settings = kMimallocSettings, .package = "libmimalloc2.0"},
    {.name = "jemalloc", .files = kJemallocFiles, .settings = kJemallocSettings, .package = "libjemalloc2"},
    {.name = "tcmalloc", .files = kTcmallocFiles, .settings = kTcmallocSettings, .package = "libtcmalloc-minimal4"},
    {.name = "tbbmalloc", .files = kTbbmallocFiles, .settings = kTbbmallocSettings, .package = "libtbbmalloc2"},
    {.name = "heapwright", .files = kHeapwrightFiles, .settings = kHeapwrightSettings, .package = {}},
};

constexpr std::string_view kFolders[] = {"/usr/local/lib/x86_64-linux-gnu", "/usr/local/lib", "/usr/lib/x86_64-linux-gnu",
                                         "/lib/x86_64-linux-gnu",           "/usr/lib64",     "/usr/lib"};

}  // namespace

std::span<const Allocator> catalog() { return kAllocators; }
std::span<const std::string_view> library_folders() { return kFolders; }

}  // namespace heapwright::study::detail
