// Buffers that grow by realloc: many at once by half of their size, lines by a few bytes at a time, and large ones to 32 MiB.
#include <bench/malloc/workload.hpp>

namespace {

using workload::Block;
using workload::Scale;

void grow(Block& block, std::size_t size) {
    const std::uint64_t tag = block.at == nullptr ? size : workload::load(block.at);
    if (block.at != nullptr && workload::tag_of(block.at, block.size) != tag) {
        workload::fail("realloc lost the contents");
    }
    const std::size_t old_size = block.size;
    block = {workload::given(std::realloc(block.at, size)), size};
    if (old_size >= 16 && workload::load(static_cast<char*>(block.at) + old_size - 8) != tag + old_size) {
        workload::fail("realloc lost the contents");
    }
    workload::mark(block.at, size, tag);
}

/// Vectors beside each other, each growing by half.
std::uint64_t vectors(std::size_t rounds) {
    workload::Random random{9};
    std::uint64_t sum = 0;
    for (std::size_t round = 0; round < rounds; ++round) {
        std::vector<Block> buffers(64);
        for (int step = 0; step < 64 * 16; ++step) {
            Block& buffer = buffers[random.below(buffers.size())];
            grow(buffer, buffer.size == 0 ? 16 : buffer.size + buffer.size / 2);
        }
        for (Block& buffer : buffers) {
            sum += workload::release(buffer);
        }
    }
    return sum;
}

/// Lines of text to which a little is appended again and again.
std::uint64_t lines(std::size_t number) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < number; ++i) {
        Block line{};
        for (std::size_t size = 16; size < 1200; size += 24) {
            grow(line, size);
        }
        sum += workload::release(line);
    }
    return sum;
}

/// A file read into a buffer that doubles, and shrinks to fit at the end.
std::uint64_t files(std::size_t number) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < number; ++i) {
        Block file{};
        for (std::size_t size = 4096; size <= (32U << 20U); size *= 2) {
            const std::size_t old_size = file.size;
            grow(file, size);
            for (std::size_t at = old_size < 4096 ? 4096 : old_size; at + 16 <= size; at += 4096) {
                workload::store(static_cast<char*>(file.at) + at, at);
            }
        }
        const std::size_t fitting = (20U << 20U) + 123;
        file = {workload::given(std::realloc(file.at, fitting)), fitting};
        for (std::size_t at = 4096; at + 16 <= fitting; at += 4096) {
            sum += workload::load(static_cast<char*>(file.at) + at);
        }
        std::free(file.at);
    }
    return sum;
}

}  // namespace

int main(int count, char** words) {
    const Scale scale{count, words};
    return workload::finish(vectors(scale.of(1200)) + lines(scale.of(60'000)) + files(scale.of(25)));
}
