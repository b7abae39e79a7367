// From stack nodes to frames, each node resolved once.
#include <heapwright/study/analysis/naming.hpp>

#include <cstddef>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <heapwright/base/text.hpp>
#include <heapwright/study/symbols/symbolizer.hpp>

namespace heapwright::study {
namespace {

std::string file_name(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? path : path.substr(slash + 1);
}

std::string hex(std::uint64_t value) {
    Text<24> text;
    text.append_hex(value);
    return std::string(text.view());
}

/// Frames without any file opened.
class PlainNames {
public:
    explicit PlainNames(const StackTree& tree) : tree_(tree) {}

    FrameId resolve(std::uint32_t node) {
        const trace::ModuleInfo* module = tree_.module_of(tree_[node]);
        const std::uint64_t address = tree_[node].pc - (module != nullptr ? module->bias : 0);
        const std::string& path = module != nullptr ? module->path : kNowhere;
        return frames_.intern(Frame{.function = hex(address),
                                    .file = {},
                                    .line = 0,
                                    .offset = 0,
                                    .module = file_name(path),
                                    .inlined = false,
                                    .runtime = module != nullptr && is_runtime_library(path)});
    }
    std::vector<Frame> take() { return frames_.take(); }

private:
    inline static const std::string kNowhere = "[unknown]";
    const StackTree& tree_;
    FrameTable frames_;
};

std::vector<ModuleListId> register_modules(Symbolizer& symbolizer, const StackTree& tree) {
    std::vector<ModuleListId> ids;
    for (const auto& list : tree.module_lists()) {
        std::vector<LoadedModule> modules;
        for (const trace::ModuleInfo& module : list) {
            modules.push_back(LoadedModule{.path = module.path,
                                           .build_id = module.build_id,
                                           .bias = module.bias,
                                           .ranges = {{.begin = module.begin, .end = module.end}}});
        }
        ids.push_back(symbolizer.add_modules(std::move(modules)));
    }
    ids.push_back(symbolizer.add_modules({}));  // for nodes that came before any list
    return ids;
}

/// Calls visit(node) for the innermost `depth` nodes of a stack.
template <class Visit>
void for_each_node(const StackTree& tree, trace::StackId stack, unsigned depth, Visit visit) {
    std::uint32_t node = tree.checked(stack);
    for (unsigned i = 0; i < depth && node != 0; ++i) {
        visit(node);
        node = tree[node].parent;
    }
}

/// Return addresses as any run of the same builds has them.
class Returns {
public:
    Returns(Findings& findings, const StackTree& tree) : findings_(findings), tree_(tree) {}

    void add(Site& site) {
        for_each_node(tree_, site.stack, kReturnsKept, [&](std::uint32_t node) { site.returns.push_back(address_of(tree_[node])); });
    }

private:
    CodeAddress address_of(const StackTree::Node& node) {
        const trace::ModuleInfo* const module = tree_.module_of(node);
        if (module == nullptr) {
            return {.module = kNoModule, .offset = node.pc};
        }
        const auto [known, is_new] = by_entry_.try_emplace(module, 0);
        if (is_new) {
            known->second = number_of(*module);
        }
        return {.module = known->second, .offset = node.pc - module->bias};
    }

    /// The same file stands in each list of modules that was in force.
    std::uint32_t number_of(const trace::ModuleInfo& module) {
        const auto next = static_cast<std::uint32_t>(findings_.modules.size());
        const auto [known, is_new] = by_file_.emplace(std::pair(module.path, module.build_id), next);
        if (is_new) {
            findings_.modules.push_back({.path = module.path, .build_id = module.build_id});
        }
        return known->second;
    }

    Findings& findings_;
    const StackTree& tree_;
    std::map<std::pair<std::string, std::vector<std::uint8_t>>, std::uint32_t> by_file_;
    std::unordered_map<const trace::ModuleInfo*, std::uint32_t> by_entry_;
};

}  // namespace

void name_sites(Findings& findings, const StackTree& tree, const AnalysisOptions& options) {
    Returns returns(findings, tree);
    for (Site& site : findings.sites) {
        returns.add(site);
    }
    if (!options.symbolize) {
        PlainNames names(tree);
        for (Site& site : findings.sites) {
            for_each_node(tree, site.stack, options.depth, [&](std::uint32_t node) { site.frames.push_back(names.resolve(node)); });
        }
        findings.frames = names.take();
        return;
    }
    Symbolizer symbolizer(SymbolSources{.debuginfod = options.debuginfod});
    const std::vector<ModuleListId> lists = register_modules(symbolizer, tree);
    for (Site& site : findings.sites) {
        for_each_node(tree, site.stack, options.depth, [&](std::uint32_t number) {
            const StackTree::Node& node = tree[number];
            const std::size_t list = node.module_list == 0 ? lists.size() - 1 : node.module_list - 1U;
            const auto frames = symbolizer.resolve(lists[list], node.pc);
            site.frames.insert(site.frames.end(), frames.begin(), frames.end());
        });
        site.frames.shrink_to_fit();
    }
    findings.frames = symbolizer.frames().take();
}

}  // namespace heapwright::study
