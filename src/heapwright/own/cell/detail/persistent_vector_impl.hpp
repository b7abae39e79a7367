// Bodies of PersistentVector: how a version makes its path its own, and how leaves enter and leave the tree.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace heapwright {

template <class T, Sharing S>
void PersistentVector<T, S>::swap(PersistentVector& other) noexcept {
    std::swap(source_, other.source_);
    std::swap(root_, other.root_);
    std::swap(tail_, other.tail_);
    std::swap(size_, other.size_);
    std::swap(height_, other.height_);
}

/// Makes the tail this version's alone, with no more elements than it has. A version that popped elements of a shared tail
/// left them where they were.
template <class T, Sharing S>
bool PersistentVector<T, S>::own_tail() noexcept(kQuietCopies) {
    const std::uint32_t length = tail_length();
    if (tail_->count.is_alone()) {
        Nodes::trim_leaf(tail_, length);
        return true;
    }
    Node* const copy = Nodes::try_copy_leaf(source_, tail_, length);
    if (copy == nullptr) {
        return false;
    }
    Nodes::release(source_, std::exchange(tail_, copy), 0);
    return true;
}

/// Makes the inner node in `place` this version's alone. A copy has no children past the first `keep`.
template <class T, Sharing S>
bool PersistentVector<T, S>::own_inner(Node*& place, unsigned level, unsigned keep) noexcept {
    if (place->count.is_alone()) {
        return true;
    }
    Inner* const copy = Nodes::try_copy_inner(source_, Nodes::inner(place), keep);
    if (copy == nullptr) {
        return false;
    }
    // It may have become the last share meanwhile: another thread can end its version at any time.
    Nodes::release(source_, std::exchange(place, copy), level);
    return true;
}

template <class T, Sharing S>
bool PersistentVector<T, S>::own_leaf(Node*& place) noexcept(kQuietCopies) {
    if (place->count.is_alone()) {
        return true;
    }
    Node* const copy = Nodes::try_copy_leaf(source_, place, Nodes::kLeafSize);
    if (copy == nullptr) {
        return false;
    }
    Nodes::release(source_, std::exchange(place, copy), 0);
    return true;
}

/// New inner nodes down to `leaf`, which becomes the first leaf below them. nullptr when refused; `leaf` is untouched.
template <class T, Sharing S>
auto PersistentVector<T, S>::path_to(Node* leaf, unsigned level) noexcept -> Node* {
    Node* top = leaf;
    for (unsigned made = 0; made < level; ++made) {
        Inner* const above = Nodes::try_make_inner(source_);
        if (above == nullptr) {
            for (; made > 0; --made) {
                Inner* const undone = Nodes::inner(top);
                top = undone->children[0];
                std::destroy_at(undone);
                source_.deallocate(undone, Layout::of<Inner>());
            }
            return nullptr;
        }
        above->children[0] = top;
        top = above;
    }
    return top;
}

/// Releases the children from this slot on, which lie next to each other.
template <class T, Sharing S>
void PersistentVector<T, S>::drop_children(Inner* node, unsigned slot, unsigned child_level) noexcept {
    for (; slot < detail::kBranches && node->children[slot] != nullptr; ++slot) {
        Nodes::release(source_, std::exchange(node->children[slot], nullptr), child_level);
    }
}

/// Hangs a full leaf behind the last one of the tree, which takes over its share.
template <class T, Sharing S>
bool PersistentVector<T, S>::hang_in_tree(Node* leaf) noexcept {
    const std::size_t number = tail_start() >> Nodes::kLeafBits;  // leaves that the tree has
    if (number == 0) {
        root_ = leaf;
        return true;
    }
    if (number < leaves_at(height_)) {
        return hang_below_root(leaf, number);
    }
    Inner* const root = Nodes::try_make_inner(source_);
    Node* const path = root == nullptr ? nullptr : path_to(leaf, height_);
    if (path == nullptr) {
        if (root != nullptr) {
            std::destroy_at(root);
            source_.deallocate(root, Layout::of<Inner>());
        }
        return false;
    }
    root->children[0] = root_;
    root->children[1] = path;
    root_ = root;
    ++height_;
    return true;
}

template <class T, Sharing S>
bool PersistentVector<T, S>::hang_below_root(Node* leaf, std::size_t number) noexcept {
    Node** place = &root_;
    for (unsigned level = height_;; --level) {
        const unsigned slot = slot_of(number, level);
        // Below a slot where this leaf is the first, the children in front of it are all that is kept.
        const bool is_first = number % leaves_at(level - 1) == 0;
        if (!own_inner(*place, level, is_first ? slot : slot + 1)) {
            return false;
        }
        Inner* const node = Nodes::inner(*place);
        // What a version of these nodes popped while they were shared is still here; nobody can see it any more.
        drop_children(node, is_first ? slot : slot + 1, level - 1);
        if (is_first) {
            Node* const path = path_to(leaf, level - 1);
            node->children[slot] = path;
            return path != nullptr;
        }
        place = &node->children[slot];
    }
}

template <class T, Sharing S>
template <class... Args>
bool PersistentVector<T, S>::try_emplace_slow(Args&&... args) {
    const std::uint32_t length = tail_length();
    if (size_ != 0 && length < Nodes::kLeafSize) {
        if (!own_tail()) {
            return false;
        }
        std::construct_at(Nodes::elements(tail_) + length, std::forward<Args>(args)...);
        ++tail_->length;
        ++size_;
        return true;
    }
    Node* const fresh = Nodes::try_make_leaf(source_);
    if (fresh == nullptr) {
        return false;
    }
    struct Release {
        SourceRef source;
        Node* leaf;
        ~Release() { Nodes::release(source, leaf, 0); }
    } guard{source_, fresh};
    std::construct_at(Nodes::elements(fresh), std::forward<Args>(args)...);
    fresh->length = 1;
    if (size_ != 0 && !hang_in_tree(tail_)) {
        return false;
    }
    guard.leaf = nullptr;
    tail_ = fresh;
    ++size_;
    return true;
}

template <class T, Sharing S>
T* PersistentVector<T, S>::try_edit(std::size_t index) noexcept(kQuietCopies) {
    HEAPWRIGHT_CHECK(index < size_, "an index is past the end of its vector");
    if (index >= tail_start()) {
        return own_tail() ? Nodes::elements(tail_) + (index & kLeafMask) : nullptr;
    }
    const std::size_t leaf = index >> Nodes::kLeafBits;
    Node** place = &root_;
    for (unsigned level = height_; level > 0; --level) {
        if (!own_inner(*place, level, detail::kBranches)) {
            return nullptr;
        }
        place = &Nodes::inner(*place)->children[slot_of(leaf, level)];
    }
    return own_leaf(*place) ? Nodes::elements(*place) + (index & kLeafMask) : nullptr;
}

template <class T, Sharing S>
void PersistentVector<T, S>::pop_back() noexcept {
    HEAPWRIGHT_CHECK(size_ > 0, "an empty vector has no last element to take away");
    const std::uint32_t length = tail_length();
    if (length > 1) {
        if (tail_->count.is_alone()) {
            Nodes::trim_leaf(tail_, length - 1);
        }
        --size_;
        return;
    }
    Nodes::release(source_, tail_, 0);
    tail_ = size_ == 1 ? nullptr : take_last_leaf();
    --size_;
    lower();
}

/// A share of the tree's last leaf. Where the path to it is this version's alone, the leaf leaves the tree; else it stays
/// there as well, out of sight, because taking it out would need memory.
template <class T, Sharing S>
auto PersistentVector<T, S>::take_last_leaf() noexcept -> Node* {
    const std::size_t number = (tail_start() >> Nodes::kLeafBits) - 1;
    Inner* emptied = nullptr;  // the node of the lowest level on the path that keeps something else; none: the root goes
    unsigned emptied_level = 0;
    bool is_ours = true;
    Node* node = root_;
    for (unsigned level = height_; level > 0; --level) {
        if (number % leaves_at(level) != 0) {
            emptied = Nodes::inner(node);
            emptied_level = level;
        }
        is_ours = is_ours && node->count.is_alone();
        node = Nodes::inner(node)->children[slot_of(number, level)];
    }
    Node* const leaf = shared(node);
    if (is_ours && emptied != nullptr) {
        drop_children(emptied, slot_of(number, emptied_level), emptied_level - 1);
    } else if (is_ours) {
        Nodes::release(source_, std::exchange(root_, nullptr), height_);
    }
    return leaf;
}

/// Takes roots away that have one child in sight, or none.
template <class T, Sharing S>
void PersistentVector<T, S>::lower() noexcept {
    const std::size_t leaves = tail_start() >> Nodes::kLeafBits;
    while (height_ > 0 && leaves <= leaves_at(height_ - 1)) {
        Node* const old = root_;
        root_ = leaves == 0 || old == nullptr ? nullptr : shared(Nodes::inner(old)->children[0]);
        Nodes::release(source_, old, height_);
        --height_;
    }
    if (leaves == 0 && root_ != nullptr) {
        Nodes::release(source_, std::exchange(root_, nullptr), height_);
    }
}

template <class T, Sharing S>
bool PersistentVector<T, S>::is_equal_to(const PersistentVector& other) const {
    if (size_ != other.size_) {
        return false;
    }
    for (std::size_t first = 0; first < size_; first += Nodes::kLeafSize) {
        Node* const mine = leaf_of(first);
        Node* const theirs = other.leaf_of(first);
        const std::size_t left = size_ - first;
        const std::size_t length = left < Nodes::kLeafSize ? left : Nodes::kLeafSize;
        for (std::size_t index = 0; mine != theirs && index < length; ++index) {
            if (!(Nodes::elements(mine)[index] == Nodes::elements(theirs)[index])) {
                return false;
            }
        }
    }
    return true;
}

template <class T, Sharing S>
VersionFootprint PersistentVector<T, S>::footprint() const noexcept {
    VersionFootprint all{};
    const auto add = [&all](const Node&, bool is_leaf, bool is_shared) {
        const std::size_t bytes = is_leaf ? Nodes::kLeafLayout.size : sizeof(Inner);
        ++all.nodes;
        all.bytes += bytes;
        all.shared_nodes += is_shared ? 1 : 0;
        all.shared_bytes += is_shared ? bytes : 0;
    };
    if (root_ != nullptr) {
        Nodes::walk(root_, height_, add);
    }
    if (tail_ != nullptr) {
        Nodes::walk(tail_, 0, add);
    }
    return all;
}

template <class T, Sharing S>
const char* PersistentVector<T, S>::broken_invariant() const noexcept {
    if ((tail_ == nullptr) != (size_ == 0) || (tail_ != nullptr && tail_->length < tail_length())) {
        return "PV1: the tail does not hold the last elements";
    }
    const std::size_t leaves = tail_start() >> Nodes::kLeafBits;
    const bool is_low = height_ == 0 ? leaves <= 1 : leaves > leaves_at(height_ - 1) && leaves <= leaves_at(height_);
    if (!is_low || (root_ == nullptr) != (leaves == 0)) {
        return "PV2: the tree is higher or lower than its leaves need";
    }
    for (std::size_t leaf = 0; leaf < leaves; ++leaf) {
        const Node* const node = leaf_in_tree(leaf);
        if (node == nullptr || node->length != Nodes::kLeafSize) {
            return "PV2: a leaf in front of the tail is not there, or not full";
        }
    }
    return nullptr;
}

}  // namespace heapwright
