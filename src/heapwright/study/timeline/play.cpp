// The parts of play() that do not depend on the sink.
#include <heapwright/study/timeline/play.hpp>

#include <algorithm>

namespace heapwright::study::detail {

/// Returns:  false when the payload is damaged: plain_ is then empty.
Result<bool> MetadataPlayer::load(const trace::ChunkRef& chunk) {
    const auto payload = reader_.load(chunk, plain_);
    if (payload) {
        return true;
    }
    plain_.clear();
    if (payload.error().kind != Errc::damaged_data) {
        return std::unexpected(payload.error());
    }
    return false;
}

std::vector<trace::StackNode> MetadataPlayer::decode_nodes(const trace::ChunkRef& chunk) {
    auto nodes = decode<trace::StackNode>(
        chunk, [&](const auto& header, const auto& plain, auto& out) { return trace::decode_stacks(header, plain, nodes_ + 1, out); });
    // Later chunks count on these numbers. A node takes at least two bytes, so a header cannot ask for more than that.
    const std::size_t promised = std::min<std::size_t>(chunk.header.items, chunk.header.plain_bytes);
    if (nodes.size() < promised) {
        nodes.resize(promised, trace::StackNode{.parent = trace::StackId::none, .pc = 0});
    }
    nodes_ += static_cast<std::uint32_t>(nodes.size());
    return nodes;
}

Result<void> MetadataPlayer::load_map(const trace::ChunkRef& chunk, std::vector<trace::MapLine>& out) {
    out.clear();
    const auto loaded = load(chunk);
    if (!loaded) {
        return std::unexpected(loaded.error());
    }
    if (*loaded && !trace::decode_mappings(chunk.header, plain_, out)) {
        reader_.report_damage(chunk, 0);
    }
    return {};
}

}  // namespace heapwright::study::detail
