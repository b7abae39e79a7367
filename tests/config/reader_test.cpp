#include <heapwright/config/reader.hpp>

#include <cstdlib>
#include <string>
#include <vector>

#include <unistd.h>

#include <doctest/doctest.h>

#include <heapwright/config/environment.hpp>
#include <heapwright/os/file.hpp>

namespace heapwright::test {

namespace {

struct Outcome {
    bool is_read = false;
    MemoryConfig config;
    std::vector<PlannedSite> sites;
    std::string mistake;
};

Outcome read(std::string_view text) {
    Outcome outcome;
    Text<1024> mistake;
    auto keep = [&](const PlannedSite& site) { outcome.sites.push_back(site); };
    outcome.is_read = config::read_memory_config(text, "memory.toml", outcome.config, keep, mistake);
    outcome.mistake = mistake.view();
    return outcome;
}

class Temporary {
public:
    explicit Temporary(std::string_view content) : path_("/tmp/heapwright-config-" + std::to_string(getpid())) {
        auto file = os::File::create_truncate(path_.c_str());
        REQUIRE(file);
        REQUIRE(file->write_all(content));
    }
    Temporary(const Temporary&) = delete;
    Temporary& operator=(const Temporary&) = delete;
    ~Temporary() { unlink(path_.c_str()); }
    [[nodiscard]] const char* path() const { return path_.c_str(); }

private:
    std::string path_;
};

}  // namespace

TEST_CASE("an empty file leaves the defaults") {
    const Outcome outcome = read("");
    CHECK(outcome.is_read);
    CHECK(outcome.config == MemoryConfig());
    CHECK(outcome.sites.empty());
}

TEST_CASE("every kind of key is taken") {
    const Outcome outcome = read(R"(# a canary
[allocator]
strategy = "jemalloc"
settings = ["narenas=2", 'tcache=false']
arena_size = "1MiB"
[pools]
block_sizes = [24, "1KiB"]
[fragmentation]
defragmentation_threshold = 0.3
analysis_interval = "250ms"
enable_auto_defragmentation = true
[monitor]
http_port = 9464
socket = "/run/x.sock"
[[site]]
name = "parser"
module = "00ff"
returns = [0x10, 0x20]
callers = ["00ff+0x30 server", '01+0xa']
min_bytes = 17
max_bytes = "32B"
place = "bump"
[[site]]
module = "01"
returns = [7]
)");
    CHECK(outcome.mistake == "");
    REQUIRE(outcome.is_read);
    const MemoryConfig& config = outcome.config;
    CHECK(config.allocator.strategy == MallocStrategy::jemalloc);
    CHECK(config.allocator.settings.view() == "narenas=2,tcache=false");
    CHECK(config.allocator.arena_size_bytes == 1 << 20);
    CHECK(config.pools.block_sizes == SizeList({24, 1024}));
    CHECK(config.fragmentation.defragmentation_threshold.millionths == 300'000);
    CHECK(config.fragmentation.analysis_interval_ns == 250'000'000);
    CHECK(config.fragmentation.enable_auto_defragmentation);
    CHECK(config.monitor.http_port == 9464);
    CHECK(config.monitor.exports_anything());
    REQUIRE(outcome.sites.size() == 2);
    CHECK(outcome.sites[0].name.view() == "parser");
    CHECK(outcome.sites[0].returns.view()[1] == 0x20);
    REQUIRE(outcome.sites[0].callers.count == 2);
    CHECK(outcome.sites[0].callers.view()[0].module == outcome.sites[0].module);
    CHECK(outcome.sites[0].callers.view()[0].offset == 0x30);
    CHECK(outcome.sites[0].callers.view()[0].file.view() == "server");
    CHECK(outcome.sites[0].callers.view()[1].offset == 0xa);
    CHECK(outcome.sites[0].callers.view()[1].file.empty());
    CHECK(outcome.sites[0].place == SitePlace::bump);
    CHECK(outcome.sites[1].place == SitePlace::by_default);
}

TEST_CASE("a mistake leads to the defaults, whatever came before it, and one line says where and what") {
    const struct {
        const char* text;
        const char* mistake;
    } cases[] = {
        {"[allocator]\nstrategy = \"glibc\"\narena_sise = 1",
         "memory.toml:3:1: no key of [allocator] is called 'arena_sise'; did you mean 'arena_size'?"},
        {"[alocator]", "memory.toml:1:2: no section is called 'alocator'; did you mean 'allocator'?"},
        {"[site]", "memory.toml:1:2: no section is called 'site'; write it as [[site]]"},
        {"[[pools]]", "memory.toml:1:3: 'pools' is one section; write [pools] and its keys below"},
        {"strategy = 1", "memory.toml:1:1: 'strategy' stands before the first [section]; put it into one"},
        {"[heap]\nbackground = \"yes\"", "memory.toml:2:14: background cannot be \"yes\"; expected true or false"},
        {"[heap]\nlimit = \"1GiB\"\nlimit = 0", "memory.toml:3:1: limit stands here for the second time; keep one of the two"},
        {"[heap]\n[heap]", "memory.toml:2:2: [heap] stands here for the second time; write its keys in one place"},
        {"[heap]\nlimit = [1]", "memory.toml:2:9: limit is no list; expected a size, as in \"4GiB\", or 0 for no limit"},
        {"[pools]\nblock_sizes = 1",
         "memory.toml:2:15: block_sizes is a list; expected a list of ascending sizes, as in [16, 64, \"1KiB\"]"},
        {"[pools]\nblock_sizes = [32, 16]",
         "memory.toml:2:20: block_sizes cannot hold 16; expected a list of ascending sizes, as in [16, 64, \"1KiB\"], from \"8B\" to "
         "\"1MiB\""},
        {"[allocator]\nstrategy = \"jemaloc\"",
         "memory.toml:2:12: strategy cannot be \"jemaloc\"; expected the name of an allocator, as in \"heapwright\"; did you mean "
         "'jemalloc'?"},
        {"[gc]\nthreads = 2",
         "memory.toml:2:1: no key of [gc] is called 'threads'; known are enabled, threshold, interval, enable_compaction, "
         "growth, pause, limit"},
        {"[gc]\nhttp_port = 2", "memory.toml:2:1: no key of [gc] is called 'http_port'; it is one of [monitor]"},
        {"[gc]\nthreshold = 64KiB", "memory.toml:2:13: expected a number; put values with a unit in quotes, as in \"64KiB\""},
        {"[heap]\nreserve = \"5MiB\"", "memory.toml: heap.reserve is no whole number of GiB; write it as in \"64GiB\""},
        {"[[site]]\nreturns = [1]\n", "memory.toml:1:3: a [[site]] has no module; give the build id of the program or library"},
        {"[[site]]\nmodule = \"00\"\nreturns = [1]\ncallers = [\"00+12\"]",
         "memory.toml:4:12: callers cannot hold \"00+12\"; expected a list of at most 7 texts, as in [\"83af0e+0x1a2b server\"]: build "
         "id, offset, file name"},
        {"[[site]]\nmodule = \"00\"\nreturns = [1, 2, 3, 4, 5, 6, 7, 8]\ncallers = [\"00+0x1\"]",
         "memory.toml:1:3: a [[site]] has more than 8 return addresses in returns and callers together; leave out the outermost"},
        {"[heap]\n[[site]]\nmodule = \"00\"\n[gc]",
         "memory.toml:2:3: a [[site]] has no returns; give the offset of at least one return address"},
    };
    for (const auto& [text, mistake] : cases) {
        const Outcome outcome = read(text);
        CHECK_FALSE(outcome.is_read);
        CHECK(outcome.mistake == mistake);
        CHECK(outcome.config == MemoryConfig());
    }
}

TEST_CASE("a file with a mistake hands over none of its sites") {
    const Temporary file("[[site]]\nmodule = \"00\"\nreturns = [1]\n[heap]\nlimit = true\n");
    MemoryConfig config;
    Text<512> mistake;
    int sites = 0;
    auto count = [&](const PlannedSite&) { ++sites; };
    CHECK_FALSE(config::read_memory_config_file(file.path(), config, count, mistake));
    CHECK(sites == 0);
    CHECK(std::string(mistake.view()).starts_with(std::string(file.path()) + ":5:9: limit cannot be true"));
}

TEST_CASE("a file that is missing or no file is a mistake") {
    MemoryConfig config;
    Text<512> mistake;
    CHECK_FALSE(config::read_memory_config_file("/nowhere/memory.toml", config, {}, mistake));
    CHECK(mistake.view() == "cannot read '/nowhere/memory.toml': not found; check the path in HEAPWRIGHT_CONFIG");
    Text<512> folder;
    CHECK_FALSE(config::read_memory_config_file("/tmp", config, {}, folder));
    CHECK(folder.view() == "cannot read '/tmp': it cannot be read");
}

TEST_CASE("the variable of the process names its file") {
    const Temporary file("[heap]\nlimit = \"3GiB\"\n");
    MemoryConfig config;
    unsetenv(config::kConfigVariable);
    CHECK_FALSE(config::read_memory_config_of_process(config));
    CHECK_FALSE(config::is_process_configured());
    setenv(config::kConfigVariable, "", 1);
    CHECK_FALSE(config::is_process_configured());
    setenv(config::kConfigVariable, file.path(), 1);
    CHECK(config::is_process_configured());
    CHECK(config::read_memory_config_of_process(config));
    CHECK(config.heap.limit_bytes == std::uint64_t{3} << 30);
    char** const kept = environ;
    environ = nullptr;  // as before libc has set it: what the kernel gave at the start counts
    Text<512> value;
    CHECK(config::append_variable("PATH", value));
    CHECK_FALSE(config::append_variable("PAT", value));
    environ = kept;
    CHECK(value.view() == std::getenv("PATH"));
    unsetenv(config::kConfigVariable);
}

}  // namespace heapwright::test
