// The trace's tree of call stacks, and which file each return address belonged to when it was recorded.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <heapwright/study/timeline/pages_array.hpp>
#include <heapwright/trace/read/metadata.hpp>

namespace heapwright::study {

/// All nodes, numbered from 1 as in the trace. Node 0 stands for "no stack".
///
///   -   a parent has a smaller number than its child, so every walk to the root ends
///
/// Cost:          16 bytes a node.
/// Thread safety: const members from any thread.
class StackTree {
public:
    struct Node {
        std::uint64_t pc = 0;
        std::uint32_t parent = 0;
        std::uint16_t depth = 0;        // the outermost frame has 1; deeper than 65535 stays there
        std::uint16_t module_list = 0;  // index of the list in force + 1; 0: none yet
    };

    StackTree() { nodes_.push_back(Node{}); }

    /// What is loaded from now on; the nodes that follow belong to it.
    void add_modules(std::vector<trace::ModuleInfo> modules);
    void add_nodes(std::span<const trace::StackNode> nodes);

    /// `stack` where it names a node, 0 otherwise.
    [[nodiscard]] std::uint32_t checked(trace::StackId stack) const {
        const auto number = static_cast<std::uint32_t>(stack);
        return number < nodes_.size() ? number : 0;
    }
    [[nodiscard]] const Node& operator[](std::uint32_t number) const { return nodes_[number]; }
    [[nodiscard]] std::size_t size() const { return nodes_.size(); }

    /// The file that a node's return address lies in, or nullptr.
    [[nodiscard]] const trace::ModuleInfo* module_of(const Node& node) const;
    [[nodiscard]] std::span<const std::vector<trace::ModuleInfo>> module_lists() const { return module_lists_; }

    /// The frame of the function that asked for memory: the innermost one outside of the language's runtime libraries.
    /// 0 where there is none.
    [[nodiscard]] std::uint32_t caller_frame(std::uint32_t stack) const;

private:
    PagesList<Node> nodes_;
    std::vector<std::vector<trace::ModuleInfo>> module_lists_;  // each sorted by begin
};

/// True for the C and C++ runtime libraries, by the file name: "libstdc++.so.6", "libc.so.6", "ld-linux-x86-64.so.2" ...
[[nodiscard]] bool is_runtime_library(std::string_view path);

}  // namespace heapwright::study
