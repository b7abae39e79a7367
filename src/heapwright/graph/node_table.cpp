// The records of nodes and where their chunks are.
#include <heapwright/graph/detail/node_table.hpp>

#include <cstring>
#include <utility>

#include <heapwright/base/layout.hpp>

namespace heapwright::graph::detail {

namespace {

constexpr Layout records(std::size_t count) { return {.size = count * sizeof(NodeRecord), .alignment = alignof(NodeRecord)}; }
constexpr Layout pointers(std::size_t count) { return {.size = count * sizeof(NodeRecord*), .alignment = alignof(NodeRecord*)}; }

}  // namespace

Result<NodeId> NodeTable::append() noexcept {
    if (count_ == kNoNode) {
        return fail_with(Errc::limit_reached, kNoNode);
    }
    if (count_ == capacity()) {
        if (const auto room = make_room(); !room) {
            return std::unexpected(room.error());
        }
    }
    const NodeId id = count_++;
    (*this)[id] = NodeRecord{};
    return id;
}

Result<void> NodeTable::make_room() noexcept {
    if (chunk_count_ == 1 && last_room_ < kChunkNodes) {
        return grow_chunk(last_room_ * 2);
    }
    if (chunk_count_ == directory_room_) {
        if (auto grown = grow_directory(); !grown) {
            return grown;
        }
    }
    const std::uint32_t room = chunk_count_ == 0 ? kFirstNodes : kChunkNodes;
    auto* const chunk = static_cast<NodeRecord*>(memory_.try_allocate(records(room)));
    if (chunk == nullptr) {
        return fail_with(Errc::out_of_memory, records(room).size);
    }
    chunks_[chunk_count_++] = chunk;
    last_room_ = room;
    return {};
}

Result<void> NodeTable::grow_chunk(std::uint32_t room) noexcept {
    auto* const grown = static_cast<NodeRecord*>(memory_.try_allocate(records(room)));
    if (grown == nullptr) {
        return fail_with(Errc::out_of_memory, records(room).size);
    }
    std::memcpy(grown, chunks_[0], records(count_).size);
    memory_.deallocate(chunks_[0], records(last_room_));
    chunks_[0] = grown;
    last_room_ = room;
    return {};
}

Result<void> NodeTable::grow_directory() noexcept {
    const std::uint32_t room = directory_room_ == 0 ? 4 : directory_room_ * 2;
    auto** const grown = static_cast<NodeRecord**>(memory_.try_allocate(pointers(room)));
    if (grown == nullptr) {
        return fail_with(Errc::out_of_memory, pointers(room).size);
    }
    if (chunks_ != nullptr) {
        std::memcpy(static_cast<void*>(grown), static_cast<const void*>(chunks_), pointers(chunk_count_).size);
        memory_.deallocate(static_cast<void*>(chunks_), pointers(directory_room_));
    }
    chunks_ = grown;
    directory_room_ = room;
    return {};
}

void NodeTable::swap(NodeTable& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(chunks_, other.chunks_);
    std::swap(chunk_count_, other.chunk_count_);
    std::swap(directory_room_, other.directory_room_);
    std::swap(last_room_, other.last_room_);
    std::swap(count_, other.count_);
}

void NodeTable::release() noexcept {
    for (std::uint32_t index = 0; index < chunk_count_; ++index) {
        memory_.deallocate(chunks_[index], records(index + 1 == chunk_count_ ? last_room_ : kChunkNodes));
    }
    if (chunks_ != nullptr) {
        memory_.deallocate(static_cast<void*>(chunks_), pointers(directory_room_));
    }
    chunks_ = nullptr;
    chunk_count_ = directory_room_ = last_room_ = 0;
    count_ = 0;
}

std::size_t NodeTable::owned_bytes() const noexcept { return records(capacity()).size + pointers(directory_room_).size; }

}  // namespace heapwright::graph::detail
