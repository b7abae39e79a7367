// Images beyond 2 and 4 GiB: a limit that others have. The file is nearly all holes.
#include <cstdint>
#include <cstring>
#include <string>

#include <sys/stat.h>

#include <doctest/doctest.h>

#include <heapwright/own/image/image.hpp>
#include <heapwright/own/image/image_writer.hpp>

#include <tests/own/image/world.hpp>

namespace {

using namespace heapwright;
using heapwright::test::Folder;

struct Ends {
    ImageVector<std::uint64_t> middle;
    ImageRef<Ends> last;
    ImageString name;
    static constexpr ImageMembers<&Ends::middle, &Ends::last, &Ends::name> kImageMembers{};
};

TEST_CASE("references lead across more than four GiB") {
    const Folder folder;
    const std::string path = folder / "large.img";
    constexpr std::size_t kWords = (std::size_t{5} << 30) / 8;
    {
        ImageWriter<Ends> writer;
        const auto middle = writer.try_make_vector(writer.root().middle, kWords);
        REQUIRE(middle.size() == kWords);
        middle.back() = 77;
        Ends& last = writer.make<Ends>();
        writer.root().last = &last;
        last.last = &writer.root();
        writer.set(last.name, "beyond what 32 bits can reach");
        writer.root().name = last.name;
        REQUIRE(writer.save(path.c_str(), 1));
    }
    struct stat facts{};
    REQUIRE(::stat(path.c_str(), &facts) == 0);
    CHECK(facts.st_size > std::int64_t{5} << 30);
    CHECK(facts.st_blocks * 512 < std::int64_t{1} << 20);
    const auto image = Image<Ends>::open(path.c_str(), {.version = 1});
    REQUIRE(image);
    CHECK((*image)->middle[kWords - 1] == 77);
    CHECK((*image)->last->last.get() == &image->root());
    CHECK((*image)->name == "beyond what 32 bits can reach");
}

}  // namespace
