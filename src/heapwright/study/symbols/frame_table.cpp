#include <heapwright/study/symbols/frame_table.hpp>

#include <functional>
#include <string_view>
#include <utility>

namespace heapwright::study {

std::size_t FrameTable::Hash::operator()(const Frame& frame) const {
    const std::hash<std::string_view> text;
    std::size_t hash = text(frame.function);
    for (const std::size_t part : {text(frame.file), text(frame.module), (std::size_t{frame.line} << 32U) | frame.offset,
                                   static_cast<std::size_t>((frame.inlined ? 2U : 0U) | (frame.runtime ? 1U : 0U))}) {
        hash = (hash ^ part) * 0x9e3779b97f4a7c15U;
        hash ^= hash >> 29U;
    }
    return hash;
}

FrameId FrameTable::intern(Frame frame) {
    std::vector<FrameId>& candidates = by_hash_[Hash{}(frame)];
    for (const FrameId id : candidates) {
        if ((*this)[id] == frame) {
            return id;
        }
    }
    const auto id = static_cast<FrameId>(frames_.size());
    frames_.push_back(std::move(frame));
    candidates.push_back(id);
    return id;
}

std::vector<Frame> FrameTable::take() {
    by_hash_.clear();
    return std::exchange(frames_, {});
}

}  // namespace heapwright::study
