// Every distinct frame once, numbered: what Findings::frames is made of.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include <heapwright/study/symbols/frame.hpp>

namespace heapwright::study {

/// Gives equal frames equal numbers.
///
/// Thread safety: one caller.
class FrameTable {
public:
    /// The number of `frame`, new or old.
    FrameId intern(Frame frame);

    [[nodiscard]] const Frame& operator[](FrameId id) const { return frames_[static_cast<std::size_t>(id)]; }
    [[nodiscard]] const std::vector<Frame>& all() const { return frames_; }

    /// Hands all frames out, in the order of their numbers. The table is empty afterwards.
    [[nodiscard]] std::vector<Frame> take();

private:
    struct Hash {
        std::size_t operator()(const Frame& frame) const;
    };

    std::vector<Frame> frames_;
    std::unordered_map<std::size_t, std::vector<FrameId>> by_hash_;  // candidates to compare
};

}  // namespace heapwright::study
