// Building the tree, and the look-up of modules.
#include <heapwright/study/analysis/stack_tree.hpp>

#include <algorithm>
#include <array>
#include <string_view>

namespace heapwright::study {

bool is_runtime_library(std::string_view path) {
    static constexpr std::array<std::string_view, 9> kNames = {"libstdc++.so", "libc++.so", "libc++abi.so",     "libc.so",       "libc-",
                                                               "libgcc_s.so",  "ld-linux",  "libheapwright.so", "libheapwright-"};
    const std::size_t slash = path.rfind('/');
    const std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
    return std::ranges::any_of(kNames, [&](std::string_view prefix) { return name.starts_with(prefix); });
}

void StackTree::add_modules(std::vector<trace::ModuleInfo> modules) {
    std::ranges::stable_sort(modules, {}, &trace::ModuleInfo::begin);
    if (module_lists_.size() < UINT16_MAX) {
        module_lists_.push_back(std::move(modules));
    } else {
        module_lists_.back() = std::move(modules);
    }
}

void StackTree::add_nodes(std::span<const trace::StackNode> nodes) {
    for (const trace::StackNode& node : nodes) {
        auto parent = static_cast<std::uint32_t>(node.parent);
        if (parent >= nodes_.size()) {
            parent = 0;  // T1; decode_stacks() does not let this happen
        }
        const std::uint16_t above = nodes_[parent].depth;
        nodes_.push_back(Node{.pc = node.pc,
                              .parent = parent,
                              .depth = above < UINT16_MAX ? static_cast<std::uint16_t>(above + 1) : above,
                              .module_list = static_cast<std::uint16_t>(module_lists_.size())});
    }
}

const trace::ModuleInfo* StackTree::module_of(const Node& node) const {
    if (node.module_list == 0 || node.pc == 0) {
        return nullptr;
    }
    const auto& list = module_lists_[node.module_list - 1U];
    const std::uint64_t call = node.pc - 1;  // a call may be the last instruction of its function
    const auto above = std::ranges::upper_bound(list, call, {}, &trace::ModuleInfo::begin);
    if (above == list.begin()) {
        return nullptr;
    }
    const trace::ModuleInfo& module = *std::prev(above);
    return call < module.end ? &module : nullptr;
}

std::uint32_t StackTree::caller_frame(std::uint32_t stack) const {
    for (std::uint32_t number = stack; number != 0; number = nodes_[number].parent) {
        const trace::ModuleInfo* module = module_of(nodes_[number]);
        if (module == nullptr || !is_runtime_library(module->path)) {
            return number;
        }
    }
    return 0;
}

}  // namespace heapwright::study
