#include <heapwright/study/report/call_tree.hpp>

#include <algorithm>
#include <numeric>
#include <unordered_map>

namespace heapwright::study {

/// Finds or makes the child of a node, by the function's key. One flat map for the whole tree: most nodes have one child.
class CallTree::Children {
public:
    explicit Children(std::size_t expected) { map_.reserve(expected); }

    std::int32_t find_or_add(std::vector<Node>& nodes, std::int32_t parent, FunctionKeys::Key key, std::int32_t frame) {
        const std::uint64_t pair = (static_cast<std::uint64_t>(static_cast<std::uint32_t>(parent)) << 32U) | key;
        const auto [entry, fresh] = map_.try_emplace(pair, static_cast<std::int32_t>(nodes.size()));
        if (fresh) {
            nodes.push_back({parent, frame, {}, {}});
        }
        return entry->second;
    }

private:
    struct Mix {
        std::size_t operator()(std::uint64_t value) const {
            value *= 0x9e3779b97f4a7c15U;
            return value ^ (value >> 32U);
        }
    };
    std::unordered_map<std::uint64_t, std::int32_t, Mix> map_;
};

CallTree::CallTree(const Findings& findings) : nodes_(1) {
    Children children(findings.sites.size());
    FunctionKeys keys;
    add(children, findings, keys.keys_of(findings), 0, &Node::values);
    sum_up(&Node::values);
}

CallTree::CallTree(const Findings& before, const Findings& after) : nodes_(1), comparison_(true) {
    Children children(before.sites.size() + after.sites.size());
    FunctionKeys keys;
    const auto after_keys = keys.keys_of(after);
    const auto before_keys = keys.keys_of(before);
    add(children, after, after_keys, 0, &Node::values);
    add(children, before, before_keys, static_cast<std::int32_t>(after.frames.size()), &Node::before);
    sum_up(&Node::values);
    sum_up(&Node::before);
}

void CallTree::add(Children& children, const Findings& findings, const std::vector<FunctionKeys::Key>& keys, std::int32_t first_frame,
                   Weights Node::* column) {
    for (const Site& site : findings.sites) {
        std::int32_t node = 0;
        for (auto frame = site.frames.rbegin(); frame != site.frames.rend(); ++frame) {
            const auto index = static_cast<std::size_t>(*frame);
            node = children.find_or_add(nodes_, node, keys[index], first_frame + static_cast<std::int32_t>(index));
        }
        Weights& sums = nodes_[static_cast<std::size_t>(node)].*column;
        const Weights values = weights_of(site);
        for (std::size_t i = 0; i < kWeightCount; ++i) {
            sums[i] += values[i];
        }
    }
}

void CallTree::sum_up(Weights Node::* column) {
    for (std::size_t i = nodes_.size(); i-- > 1;) {
        Weights& above = nodes_[static_cast<std::size_t>(nodes_[i].parent)].*column;
        const Weights& values = nodes_[i].*column;
        for (std::size_t w = 0; w < kWeightCount; ++w) {
            above[w] += values[w];
        }
    }
}

// A node's largest share of the whole, over all weights; never above its parent's.
std::vector<double> CallTree::importance() const {
    std::vector<double> shares(nodes_.size(), 0);
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        for (std::size_t w = 0; w < kWeightCount; ++w) {
            const auto share = [&](const Weights& values, const Weights& whole) {
                return whole[w] == 0 ? 0.0 : static_cast<double>(values[w]) / static_cast<double>(whole[w]);
            };
            shares[i] = std::max({shares[i], share(nodes_[i].values, nodes_[0].values), share(nodes_[i].before, nodes_[0].before)});
        }
    }
    return shares;
}

void CallTree::prune(std::size_t limit) {
    const std::vector<double> shares = importance();
    for (std::size_t keep = limit; nodes_.size() > limit && keep > 0;) {
        if (keep_most_important(shares, keep, limit)) {
            return;
        }
        keep = keep - std::max<std::size_t>(1, keep / 10);
    }
}

bool CallTree::keep_most_important(const std::vector<double>& importance, std::size_t keep, std::size_t limit) {
    std::vector<std::uint32_t> order(nodes_.size());
    std::iota(order.begin(), order.end(), 0U);
    // Ties go to the smaller index, so a parent is never cut before its child.
    std::nth_element(
        order.begin(), order.begin() + static_cast<std::ptrdiff_t>(keep) - 1, order.end(),
        [&](std::uint32_t a, std::uint32_t b) { return importance[a] != importance[b] ? importance[a] > importance[b] : a < b; });
    std::vector<bool> kept(nodes_.size(), false);
    for (std::size_t i = 0; i < keep; ++i) {
        kept[order[i]] = true;
    }
    kept[0] = true;

    std::vector<Node> result;
    std::vector<std::int32_t> place(nodes_.size(), -1);
    std::vector<std::int32_t> rest(nodes_.size(), -1);  // the "(smaller stacks)" child of a kept node
    std::size_t omitted = 0;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        const auto parent = static_cast<std::size_t>(std::max(nodes_[i].parent, 0));
        if (kept[i]) {
            place[i] = static_cast<std::int32_t>(result.size());
            result.push_back(nodes_[i]);
            result.back().parent = i == 0 ? -1 : place[parent];
            continue;
        }
        ++omitted;
        if (!kept[parent]) {
            continue;  // counted in the value of the ancestor that was cut
        }
        if (rest[parent] < 0) {
            rest[parent] = static_cast<std::int32_t>(result.size());
            result.push_back({place[parent], kSmallerStacks, {}, {}});
        }
        Node& sum = result[static_cast<std::size_t>(rest[parent])];
        for (std::size_t w = 0; w < kWeightCount; ++w) {
            sum.values[w] += nodes_[i].values[w];
            sum.before[w] += nodes_[i].before[w];
        }
    }
    if (result.size() > limit) {
        return false;
    }
    nodes_ = std::move(result);
    omitted_ += omitted;
    return true;
}

const char* CallTree::broken_invariant() const {
    std::vector<Weights> sums(nodes_.size());
    std::vector<Weights> sums_before(nodes_.size());
    for (std::size_t i = 1; i < nodes_.size(); ++i) {
        if (nodes_[i].parent < 0 || static_cast<std::size_t>(nodes_[i].parent) >= i) {
            return "C1: a node comes before its parent";
        }
        for (std::size_t w = 0; w < kWeightCount; ++w) {
            sums[static_cast<std::size_t>(nodes_[i].parent)][w] += nodes_[i].values[w];
            sums_before[static_cast<std::size_t>(nodes_[i].parent)][w] += nodes_[i].before[w];
        }
    }
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        for (std::size_t w = 0; w < kWeightCount; ++w) {
            if (nodes_[i].values[w] < sums[i][w] || nodes_[i].before[w] < sums_before[i][w]) {
                return "C2: the children of a node weigh more than the node";
            }
        }
    }
    return nullptr;
}

}  // namespace heapwright::study
