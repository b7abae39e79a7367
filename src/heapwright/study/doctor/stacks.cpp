#include <heapwright/study/doctor/stacks.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

namespace heapwright::study::doctor {

namespace {

constexpr std::uint64_t kMostGuard = std::uint64_t{1} << 20;
constexpr std::uint64_t kLeastStack = 4 * kPageBytes;
/// Static thread-local data of all libraries lies behind the control block's start, the block itself is 2304 bytes.
constexpr std::uint64_t kSearched = std::uint64_t{64} << 10;

bool is_guard(const ProcessMapping& mapping) {
    return !mapping.readable && !mapping.writable && !mapping.executable && mapping.is_private_anonymous() && mapping.path.empty() &&
           mapping.size_bytes() <= kMostGuard;
}

/// A control block begins with its own address and has it again in its third word.
bool has_control_block(MemorySource& memory, const ProcessMapping& mapping) {
    const std::uint64_t bytes = std::min(kSearched, mapping.size_bytes());
    const std::uint64_t start = mapping.end - bytes;
    std::vector<std::byte> data(bytes);
    if (memory.read(start, data) == 0) {
        return false;
    }
    constexpr std::size_t kWord = sizeof(std::uint64_t);
    for (std::size_t offset = 0; offset + 3 * kWord <= data.size(); offset += kWord) {
        std::array<std::uint64_t, 3> words{};
        std::memcpy(words.data(), data.data() + offset, sizeof(words));
        if (words[0] == start + offset && (words[2] == start + offset || words[1] == start + offset)) {
            return true;
        }
    }
    return false;
}

bool is_named_stack(std::string_view path) {
    return path.starts_with("[stack") || path.starts_with("[anon: glibc: pthread stack") || path.starts_with("[anon:stack");
}

}  // namespace

std::vector<bool> find_stacks(MemorySource& memory, std::span<const ProcessMapping> mappings) {
    std::vector<bool> stacks(mappings.size());
    for (std::size_t index = 0; index < mappings.size(); ++index) {
        const ProcessMapping& mapping = mappings[index];
        if (is_named_stack(mapping.path)) {
            stacks[index] = true;
        } else if (index > 0 && mapping.writable && mapping.path.empty() && mapping.is_private_anonymous() && mapping.resident_bytes != 0 &&
                   mapping.size_bytes() >= kLeastStack && mappings[index - 1].end == mapping.start && is_guard(mappings[index - 1])) {
            stacks[index] = has_control_block(memory, mapping);
        }
    }
    return stacks;
}

}  // namespace heapwright::study::doctor
