// How do I let the operator set sizes and limits? By a memory.toml that the program reads at its start.
#include <cstdio>

#include <heapwright/config.hpp>

namespace {

constexpr const char* kText = R"(
[allocator]
arena_size = "8KiB"
max_arenas = 1

[pools]
block_sizes = [32, 64, "1KiB"]
blocks_per_size = 2
)";

struct Connection {
    int number;
    char state[40];
};

int fail(const char* what) {
    std::fprintf(stderr, "%s\n", what);
    return 1;
}

}  // namespace

int main() {
    heapwright::MemoryConfig config;
    heapwright::Text<256> mistake;
    // A program of yours calls read_memory_config_file("memory.toml", ...).
    if (!heapwright::config::read_memory_config(kText, "memory.toml", config, {}, mistake)) {
        return fail(mistake.c_str());  // "memory.toml:3:1: no key of [allocator] is called ..."
    }

    heapwright::ConfiguredMemory memory(config);
    const auto arena = memory.make_arena();
    if (!arena || memory.make_arena()) {
        return fail("max_arenas is 1");
    }
    (*arena)->create<Connection>();
    if ((*arena)->stats().owned_bytes != 8192) {
        return fail("arena_size is 8 KiB");
    }

    heapwright::ConfiguredPools pools(config.pools);
    const auto layout = heapwright::Layout::of<Connection>();
    void* const first = *pools.allocate(layout);
    void* const second = *pools.allocate(layout);
    if (const auto third = pools.allocate(layout); third || third.error().kind != heapwright::Errc::limit_reached) {
        return fail("blocks_per_size is 2");
    }
    pools.deallocate(first, layout);
    pools.deallocate(second, layout);
    return 0;
}
