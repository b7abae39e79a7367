// A field of a record that was read from another process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace heapwright::study::doctor {

/// Zero where the record ends before.
template <class T>
[[nodiscard]] T field(std::span<const std::byte> record, std::uint32_t offset) {
    T value{};
    if (offset + sizeof(T) <= record.size()) {
        std::memcpy(&value, record.data() + offset, sizeof(T));
    }
    return value;
}

}  // namespace heapwright::study::doctor
