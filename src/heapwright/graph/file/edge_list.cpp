#include <heapwright/graph/file/edge_list.hpp>

#include <algorithm>
#include <cstring>

#include <heapwright/base/layout.hpp>
#include <heapwright/os/file.hpp>

namespace heapwright::graph {

namespace {

/// Bytes of a file one by one, read in pieces.
class Letters {
public:
    static constexpr int kEnd = -1;

    explicit Letters(os::File& file) : file_(file) {}
    /// The next byte without taking it; kEnd at the end, or when reading failed.
    [[nodiscard]] int peek() {
        if (at_ == filled_ && !refill()) {
            return kEnd;
        }
        return static_cast<int>(std::to_integer<unsigned char>(room_[at_]));
    }
    void take() { ++at_; }
    [[nodiscard]] const Result<std::size_t>& last_read() const { return read_; }

private:
    [[nodiscard]] bool refill() {
        read_ = file_.read_some(room_);
        at_ = 0;
        filled_ = read_ ? *read_ : 0;
        return filled_ > 0;
    }

    os::File& file_;
    std::byte room_[16384];
    std::size_t at_ = 0;
    std::size_t filled_ = 0;
    Result<std::size_t> read_ = std::size_t{0};
};

constexpr bool is_digit(int letter) { return letter >= '0' && letter <= '9'; }

/// Takes digits. False when there are none, or more than a node's number has.
bool take_node(Letters& letters, NodeId& node) {
    std::uint64_t number = 0;
    bool has_digit = false;
    for (; is_digit(letters.peek()) && number < kNoNode; letters.take()) {
        number = number * 10 + static_cast<std::uint64_t>(letters.peek() - '0');
        has_digit = true;
    }
    node = static_cast<NodeId>(number);
    return has_digit && number < kNoNode;
}

void skip_line(Letters& letters) {
    while (letters.peek() != '\n' && letters.peek() != Letters::kEnd) {
        letters.take();
    }
}

void skip_between(Letters& letters) {
    for (int letter = letters.peek(); !is_digit(letter) && letter != '\n' && letter != Letters::kEnd; letter = letters.peek()) {
        letters.take();
    }
}

enum class Line : std::uint8_t { edge, comment, broken };

Line take_line(Letters& letters, Edge& edge) {
    while (letters.peek() == ' ' || letters.peek() == '\t' || letters.peek() == '\r') {
        letters.take();
    }
    const int first = letters.peek();
    if (first == '\n' || first == Letters::kEnd || first == '#' || first == '%') {
        skip_line(letters);
        return Line::comment;
    }
    const bool has_from = take_node(letters, edge.from);
    skip_between(letters);
    const bool has_both = has_from && take_node(letters, edge.to);
    skip_line(letters);
    return has_both ? Line::edge : Line::broken;
}

}  // namespace

EdgeList::~EdgeList() {
    if (edges_ != nullptr) {
        memory_.deallocate(edges_, Layout{.size = room_ * sizeof(Edge), .alignment = alignof(Edge)});
    }
}

Result<void> EdgeList::grow(std::size_t edges) noexcept {
    constexpr std::size_t kLeast = 64;
    const std::size_t room = std::max({edges, room_ * 2, kLeast});
    const auto layout = Layout::array<Edge>(room);
    if (!layout) {
        return std::unexpected(layout.error());
    }
    auto* const grown = static_cast<Edge*>(memory_.try_allocate(*layout));
    if (grown == nullptr) {
        return fail_with(Errc::out_of_memory, layout->size);
    }
    if (edges_ != nullptr) {
        std::memcpy(grown, edges_, size_ * sizeof(Edge));
        memory_.deallocate(edges_, Layout{.size = room_ * sizeof(Edge), .alignment = alignof(Edge)});
    }
    edges_ = grown;
    room_ = room;
    return {};
}

Result<EdgeList> read_text_edges(const char* path, SourceRef memory) noexcept {
    auto file = os::File::open_read(path);
    if (!file) {
        return std::unexpected(file.error());
    }
    EdgeList list(memory);
    Letters letters(*file);
    for (std::uint64_t line = 1; letters.peek() != Letters::kEnd; ++line) {
        Edge edge{};
        const Line kind = take_line(letters, edge);
        if (kind == Line::broken) {
            return fail_with(Errc::damaged_data, line);
        }
        if (kind == Line::edge) {
            if (const auto added = list.add(edge); !added) {
                return std::unexpected(added.error());
            }
        }
        if (letters.peek() == '\n') {
            letters.take();
        }
    }
    if (!letters.last_read()) {
        return std::unexpected(letters.last_read().error());
    }
    return list;
}

Result<EdgeList> read_binary_edges(const char* path, SourceRef memory) noexcept {
    auto file = os::File::open_read(path);
    if (!file) {
        return std::unexpected(file.error());
    }
    const auto bytes = file->size();
    if (!bytes) {
        return std::unexpected(bytes.error());
    }
    if (*bytes % sizeof(Edge) != 0) {
        return fail_with(Errc::damaged_data, *bytes);
    }
    EdgeList list(memory);
    if (const auto room = list.reserve(*bytes / sizeof(Edge)); !room) {
        return std::unexpected(room.error());
    }
    const auto read = file->read_full({reinterpret_cast<std::byte*>(list.edges_), static_cast<std::size_t>(*bytes)});
    if (!read) {
        return std::unexpected(read.error());
    }
    if (*read != *bytes) {
        return fail_with(Errc::io_failed, *read);
    }
    list.size_ = *bytes / sizeof(Edge);
    for (const Edge edge : list.edges()) {
        const NodeId larger = edge.from < edge.to ? edge.to : edge.from;
        list.node_bound_ = larger < list.node_bound_ ? list.node_bound_ : std::size_t{larger} + 1;
    }
    return list;
}

Result<void> write_binary_edges(const char* path, std::span<const Edge> edges) noexcept {
    auto file = os::File::create_truncate(path);
    if (!file) {
        return std::unexpected(file.error());
    }
    return file->write_all(std::as_bytes(edges));
}

}  // namespace heapwright::graph
