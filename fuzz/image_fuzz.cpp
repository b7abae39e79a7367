// Opens arbitrary bytes as an image, as they are and with checksums made to fit, and walks whatever is accepted to its end.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>

#include <heapwright/own/image/detail/checksum.hpp>
#include <heapwright/own/image/detail/format.hpp>
#include <heapwright/own/image/image.hpp>
#include <heapwright/own/image/lazy_image.hpp>

namespace {

using namespace heapwright;
namespace format = heapwright::detail;

struct Leaf {
    ImageString name;
    std::uint32_t number;
    bool truth;
    static constexpr ImageMembers<&Leaf::name, &Leaf::number, &Leaf::truth> kImageMembers{};
};
struct Node {
    ImageRef<Node> next;
    ImageRef<Leaf> leaf;
    ImageVector<Node> inside;
    ImageVector<ImageRef<Node>> all;
    ImageMap<ImageString, ImageVector<Leaf>> by_name;
    ImageMap<std::int16_t, Leaf> by_number;
    ImageVector<std::uint8_t> bytes;
    static constexpr ImageMembers<&Node::next, &Node::leaf, &Node::inside, &Node::all, &Node::by_name, &Node::by_number, &Node::bytes>
        kImageMembers{};
};

/// Reads all that is within `steps` of the root.
class Walk {
public:
    void over(const Node& node, int depth) {
        if (depth == 0 || --steps_ < 0) {
            return;
        }
        if (node.leaf) {
            over(*node.leaf);
        }
        for (const std::uint8_t byte : node.bytes) {
            sum_ = sum_ + byte;
        }
        for (const auto& entry : node.by_name) {
            sum_ = sum_ + static_cast<std::uint64_t>(entry.key.compare("name"));
            for (const Leaf& leaf : entry.value) {
                over(leaf);
            }
        }
        for (const auto& entry : node.by_number) {
            over(entry.value);
        }
        if (node.by_name.contains("a key of some length") || node.by_number.contains(3)) {
            sum_ = sum_ + 1;
        }
        if (node.next) {
            over(*node.next, depth - 1);
        }
        for (const Node& inside : node.inside) {
            over(inside, depth - 1);
        }
        for (const auto& other : node.all) {
            if (other) {
                over(*other, depth - 1);
            }
        }
    }

private:
    void over(const Leaf& leaf) {
        for (const char letter : leaf.name.view()) {
            sum_ = sum_ + static_cast<unsigned char>(letter);
        }
        sum_ = sum_ + leaf.number + (leaf.truth ? 1 : 0);
    }
    volatile std::uint64_t sum_ = 0;
    int steps_ = 2000;
};

void look_at(const LazyValue<Node>& node, int depth) {
    if (depth == 0) {
        return;
    }
    if (const auto leaf = node.get<&Node::leaf>()) {
        volatile std::size_t length = 0;
        if (const auto name = leaf->get<&Leaf::name>()) {
            for (const char letter : *name) {
                length = length + static_cast<unsigned char>(letter);
            }
        }
    }
    if (const auto next = node.get<&Node::next>()) {
        look_at(*next, depth - 1);
    }
    if (const auto inside = node.get<&Node::inside>()) {
        for (std::size_t i = 0; i < inside->size() && i < 4; ++i) {
            look_at((*inside)[i], depth - 1);
        }
    }
    if (const auto names = node.get<&Node::by_name>()) {
        static_cast<void>(names->find("name").has_value());
    }
}

void use(std::span<const std::byte> bytes, ImageVerify verify) {
    if (const auto image = Image<Node>::from_bytes(bytes, {.version = 1, .verify = verify})) {
        Walk().over(image->root(), 40);
    }
    if (const auto lazy = LazyImage<Node>::from_bytes(bytes, {.version = 1, .verify = verify})) {
        if (const auto root = lazy->root()) {
            look_at(*root, 6);
        }
    }
}

/// Makes an image of a payload: a sound header, sound checksums.
void make_sound(std::span<std::byte> bytes, std::size_t payload_bytes) {
    format::ImageHeader header{};
    std::memcpy(header.magic, format::kImageMagic, sizeof(header.magic));
    header.endian = format::kImageEndian;
    header.format = format::kImageFormat;
    header.reference_bytes = format::kImageReferenceBytes;
    header.schema = kImageSchema<Node>;
    header.version = 1;
    header.block_bits = format::kImageBlockBits;
    header.payload_bytes = payload_bytes;
    std::memcpy(bytes.data(), &header, sizeof(header));
    header.checksum = format::image_checksum(bytes.first(offsetof(format::ImageHeader, checksum)), 0);
    std::memcpy(bytes.data(), &header, sizeof(header));
    for (std::uint64_t block = 0; block < format::image_blocks(payload_bytes); ++block) {
        const std::size_t begin = block * format::kImageBlockBytes;
        const std::size_t left = payload_bytes - begin;
        const std::size_t length = left < format::kImageBlockBytes ? left : format::kImageBlockBytes;
        const std::uint64_t sum = format::image_checksum(bytes.subspan(format::kImageHeaderBytes + begin, length), block);
        std::memcpy(bytes.data() + format::kImageHeaderBytes + payload_bytes + block * sizeof(sum), &sum, sizeof(sum));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // As a file: aligned as a mapping is, and not one byte longer.
    const std::size_t payload_bytes = size / 8 * 8;
    const std::size_t sound_bytes = format::image_file_bytes(payload_bytes);
    void* room = nullptr;
    if (::posix_memalign(&room, 64, sound_bytes) != 0) {
        return 0;
    }
    auto* const bytes = static_cast<std::byte*>(room);
    std::memcpy(bytes, data, size);
    use({bytes, size}, ImageVerify::all);
    std::memcpy(bytes + format::kImageHeaderBytes, data, payload_bytes);
    make_sound({bytes, sound_bytes}, payload_bytes);
    use({bytes, sound_bytes}, ImageVerify::all);
    std::free(room);
    return 0;
}
