#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/base/text.hpp>
#include <heapwright/own/image/detail/checker.hpp>
#include <heapwright/own/image/detail/checksum.hpp>
#include <heapwright/own/image/detail/format.hpp>
#include <heapwright/own/image/fault.hpp>
#include <heapwright/own/image/image.hpp>
#include <heapwright/own/image/image_file.hpp>
#include <heapwright/own/image/image_writer.hpp>

#include <tests/own/image/world.hpp>
#include <tests/support/random.hpp>

namespace {

using namespace heapwright;
using heapwright::detail::ImageHeader;
using heapwright::test::Folder;
using heapwright::test::Person;
using heapwright::test::Walk;
using heapwright::test::World;

struct Snake {
    ImageVector<Snake> body;
    static constexpr ImageMembers<&Snake::body> kImageMembers{};
};

/// An image's bytes where an image may stand, with nothing readable behind them under AddressSanitizer.
class Bytes {
public:
    explicit Bytes(std::size_t size)
        : room_(static_cast<std::byte*>(std::aligned_alloc(64, (size + 63) / 64 * 64)), &std::free), size_(size) {}
    [[nodiscard]] std::span<std::byte> span() const { return {room_.get(), size_}; }
    [[nodiscard]] ImageHeader& header() const { return *reinterpret_cast<ImageHeader*>(room_.get()); }

    /// Makes every checksum fit again.
    void repair() const {
        const std::uint64_t payload_bytes = header().payload_bytes;
        for (std::uint64_t block = 0; block < heapwright::detail::image_blocks(payload_bytes); ++block) {
            const std::size_t begin = block * heapwright::detail::kImageBlockBytes;
            const std::size_t length = std::min<std::size_t>(heapwright::detail::kImageBlockBytes, payload_bytes - begin);
            const std::uint64_t sum = heapwright::detail::image_checksum(span().subspan(128 + begin, length), block);
            std::memcpy(room_.get() + 128 + payload_bytes + 8 * block, &sum, sizeof(sum));
        }
        repair_header();
    }
    void repair_header() const { header().checksum = heapwright::detail::image_checksum(span().first(120), 0); }

private:
    std::unique_ptr<std::byte, decltype(&std::free)> room_;
    std::size_t size_;
};

Bytes saved(ImageWriter<World>& writer, std::uint32_t version) {
    const Folder folder;
    const std::string path = folder / "image";
    REQUIRE(writer.save(path.c_str(), version));
    std::ifstream file(path, std::ios::binary);
    const std::vector<char> read{std::istreambuf_iterator<char>(file), {}};
    Bytes bytes(read.size());
    std::memcpy(bytes.span().data(), read.data(), read.size());
    return bytes;
}

Bytes small_world() {
    ImageWriter<World> writer;
    heapwright::test::fill(writer, 5);
    return saved(writer, 1);
}

/// Refused, or walked to its end. Returns whether it was refused.
bool is_survived(const Bytes& bytes, ImageVerify verify) {
    const auto image = Image<World>::from_bytes(bytes.span(), {.version = 1, .verify = verify});
    if (!image) {
        const auto kind = image.error().kind;
        REQUIRE((kind == Errc::damaged_data || kind == Errc::unsupported || kind == Errc::unsupported_version));
        REQUIRE(image_fault(image.error()) != ImageFault::none);
        return true;
    }
    static_cast<void>(Walk().over(image->root()));
    return false;
}

TEST_CASE("every changed byte is noticed by checksums, and survived without them") {
    const Bytes bytes = small_world();
    CHECK_FALSE(is_survived(bytes, ImageVerify::all));
    for (std::size_t at = 0; at < bytes.span().size(); ++at) {
        for (const unsigned flip : {0x01U, 0x80U, 0xFFU}) {
            bytes.span()[at] ^= static_cast<std::byte>(flip);
            REQUIRE(is_survived(bytes, ImageVerify::all));
            static_cast<void>(is_survived(bytes, ImageVerify::structure));
            bytes.span()[at] ^= static_cast<std::byte>(flip);
        }
    }
    CHECK_FALSE(is_survived(bytes, ImageVerify::all));
}

TEST_CASE("a file cut off anywhere is refused") {
    const Bytes whole = small_world();
    for (std::size_t length = 0; length < whole.span().size(); ++length) {
        const Bytes cut(length);
        std::memcpy(cut.span().data(), whole.span().data(), length);
        REQUIRE(is_survived(cut, ImageVerify::structure));
    }
    const Bytes longer(whole.span().size() + 8);
    std::memcpy(longer.span().data(), whole.span().data(), whole.span().size());
    CHECK(is_survived(longer, ImageVerify::structure));
}

TEST_CASE("crafted bytes with sound checksums are survived") {
    heapwright::test::Random random(1);
    std::size_t accepted = 0;
    for (int round = 0; round < 3000; ++round) {
        static const Bytes original = small_world();
        const Bytes bytes(original.span().size());
        std::memcpy(bytes.span().data(), original.span().data(), original.span().size());
        for (std::uint64_t changes = random.between(1, 4); changes > 0; --changes) {
            // Whole words, mostly small: distances and lengths that nearly fit.
            const std::size_t word = random.below((bytes.span().size() - 128) / 8) * 8 + 128;
            const std::uint64_t number = random.one_in(2) ? random.below(4096) : 0 - random.below(4096);
            std::memcpy(bytes.span().data() + word, &number, sizeof(number));
        }
        bytes.repair();
        accepted += is_survived(bytes, ImageVerify::all) ? 0U : 1U;
    }
    CHECK(accepted > 100);
    CHECK(accepted < 2900);
}

TEST_CASE("a truth that is neither is refused") {
    ImageWriter<World> writer;
    heapwright::test::fill(writer, 2);
    auto& person = const_cast<Person&>(writer.root().people[0]);
    std::memset(&person.alive, 2, 1);
    const auto checked = writer.check();
    REQUIRE_FALSE(checked);
    CHECK(image_fault(checked.error()) == ImageFault::wrong_reference);
}

TEST_CASE("rows that all name the same bytes are refused before they take for ever") {
    ImageWriter<World> writer;
    const auto rows = writer.make_vector(writer.root().truths, 20'000);
    ImageVector<bool> shared;
    writer.make_vector(shared, 200'000);
    for (auto& row : rows) {
        row = shared;
    }
    const auto checked = writer.check();
    REQUIRE_FALSE(checked);
    CHECK(image_fault(checked.error()) == ImageFault::too_entangled);
    for (std::size_t i = 4; i < rows.size(); ++i) {
        rows[i] = {};
    }
    CHECK(writer.check());
}

TEST_CASE("rows that contain themselves end") {
    ImageWriter<Snake> writer;
    writer.root().body.refer_to({&writer.root(), 1});
    const auto checked = writer.check();
    REQUIRE_FALSE(checked);
    CHECK(image_fault(checked.error()) == ImageFault::too_entangled);
}

std::string sentence(const Bytes& bytes, std::uint32_t version) {
    const auto image = Image<World>::from_bytes(bytes.span(), {.version = version});
    REQUIRE_FALSE(image);
    Text<512> text;
    describe_image_error(image.error(), "world.img", version, text);
    CHECK_FALSE(text.truncated());
    return std::string(text.view());
}

TEST_CASE("each refusal has its sentence") {
    const Bytes bytes = small_world();
    CHECK(sentence(bytes, 2) ==
          "heapwright: cannot use image 'world.img': it was written as version 1, this program reads version 2; build it again, or read it "
          "with a program of that version");
    const ImageHeader sound = bytes.header();
    const auto with = [&](auto change) {
        bytes.header() = sound;
        change(bytes.header());
        bytes.repair_header();
        return sentence(bytes, 1);
    };
    CHECK(with([](ImageHeader& header) { header.endian = 0x0403'0201; }).find("its marker reads 0x4030201, so it is of a machine") !=
          std::string::npos);
    CHECK(with([](ImageHeader& header) { header.reference_bytes = 4; }).find("its marker reads 0x4,") != std::string::npos);
    CHECK(with([](ImageHeader& header) { header.format = 9; }).find("its format is 9, newer") != std::string::npos);
    CHECK(with([](ImageHeader& header) { header.schema = 0xBEEF; }).find("its types have the shape 0xbeef,") != std::string::npos);
    CHECK(with([](ImageHeader& header) { header.magic[0] = 'G'; }).find("it does not begin as an image does") != std::string::npos);
    CHECK(with([](ImageHeader& header) { header.payload_bytes += 8; }).find("promises another length") != std::string::npos);
    CHECK(with([](ImageHeader& header) { header.payload_bytes = UINT64_MAX - 7; }).find("promises another length") != std::string::npos);
    bytes.header() = sound;
    bytes.header().unused[0] = 1;
    CHECK(sentence(bytes, 1).find("its header is damaged; copy or build it again") != std::string::npos);
    bytes.header() = sound;
    bytes.span()[200] ^= std::byte{1};
    CHECK(sentence(bytes, 1).find("the block at byte 128 is damaged") != std::string::npos);
    Text<512> text;
    describe_image_error({.kind = Errc::not_found, .system_errno = 2}, "x", 1, text);
    CHECK(text.view() == "heapwright: cannot use image 'x': not found (errno 2)");
}

TEST_CASE("files that are no images are refused") {
    const Folder folder;
    const auto open = [&](const std::string& name, const std::string& contents) {
        std::ofstream(folder / name, std::ios::binary) << contents;
        const auto image = Image<World>::open((folder / name).c_str(), {});
        REQUIRE_FALSE(image);
        return image_fault(image.error());
    };
    CHECK(open("empty", "") == ImageFault::wrong_length);
    CHECK(open("short", "hello") == ImageFault::wrong_length);
    CHECK(open("long", std::string(5000, 'x')) == ImageFault::no_image);
    CHECK(Image<World>::open((folder / "missing").c_str(), {}).error().kind == Errc::not_found);
    CHECK(ImageFile::from_bytes(small_world().span().subspan(1)).error().kind == Errc::invalid_argument);
    CHECK(ImageFile().info().version == 0);
}

}  // namespace
