#include <heapwright/own/image/lazy_image.hpp>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/own/image/detail/verified_blocks.hpp>
#include <heapwright/own/image/image_writer.hpp>

#include <tests/own/image/world.hpp>

namespace {

using namespace heapwright;
using heapwright::test::Folder;
using heapwright::test::Mood;
using heapwright::test::Person;
using heapwright::test::World;

TEST_CASE("values of a lazy image read as they were built") {
    const Folder folder;
    const std::string path = folder / "world.img";
    {
        ImageWriter<World> writer;
        heapwright::test::fill(writer, 50);
        REQUIRE(writer.save(path.c_str(), 1));
    }
    const auto image = LazyImage<World>::open(path.c_str(), {.version = 1});
    REQUIRE(image);
    CHECK(image->verified_blocks() == 0);
    const auto world = image->root();
    REQUIRE(world);
    CHECK(*world->get<&World::name>() == "a world with a name of many letters");
    CHECK(world->get<&World::matrix>()[3] == 2.5F);
    const auto people = world->get<&World::people>();
    REQUIRE(people);
    REQUIRE(people->size() == 50);
    const LazyValue<Person> third = (*people)[3];
    CHECK(third.get<&Person::age>() == 3);
    CHECK(third.get<&Person::alive>());
    CHECK(third.get<&Person::mood>() == Mood::wild);
    CHECK(*third.get<&Person::mother>()->get<&Person::name>() == "p4");
    CHECK(third.get<&Person::homes>()[0].error().kind == Errc::not_found);
    const auto by_name = world->get<&World::by_name>();
    REQUIRE(by_name);
    const auto found = by_name->find("p42");
    REQUIRE(found);
    CHECK(found->read()->get<&Person::age>() == 42);
    CHECK(by_name->find("nobody").error().kind == Errc::not_found);
    CHECK(world->get<&World::numbers>()->find(3)->read() == 1);
    CHECK(image->verified_blocks() >= 1);
}

TEST_CASE("a lazy image notices damage where it is looked at, and nowhere else") {
    const Folder folder;
    const std::string path = folder / "world.img";
    {
        ImageWriter<World> writer;
        heapwright::test::fill(writer, 5000);
        REQUIRE(writer.save(path.c_str(), 1));
    }
    {
        std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(128 + 5 * 65536 + 1000);
        file.put('\x5A');
    }
    const auto image = LazyImage<World>::open(path.c_str(), {.version = 1});
    REQUIRE(image);
    CHECK(image->root()->get<&World::name>().has_value());
    const auto people = image->root()->get<&World::people>();
    REQUIRE_FALSE(people);
    CHECK(image_fault(people.error()) == ImageFault::damaged_block);
    CHECK(people.error().number == 128 + 5 * 65536);
    const auto unverified = LazyImage<World>::open(path.c_str(), {.version = 1, .verify = ImageVerify::structure});
    REQUIRE(unverified);
    CHECK(unverified->root()->get<&World::people>().has_value());
    CHECK(LazyImage<World>::open(path.c_str(), {.version = 2}).error().kind == Errc::unsupported_version);
}

/// Looks at everything that one value leads to, one step deep.
void look_at(const LazyValue<World>& world) {
    static_cast<void>(world.get<&World::name>());
    if (const auto people = world.get<&World::people>()) {
        for (std::size_t i = 0; i < people->size() && i < 20; ++i) {
            const LazyValue<Person> person = (*people)[i];
            static_cast<void>(person.get<&Person::alive>());
            const auto name = person.get<&Person::name>();
            volatile char letter = 0;
            for (std::size_t k = 0; name && k < name->size(); ++k) {
                letter = (*name)[k];
            }
            static_cast<void>(letter);
            if (const auto mother = person.get<&Person::mother>()) {
                static_cast<void>(mother->get<&Person::age>());
            }
            if (const auto friends = person.get<&Person::friends>()) {
                for (std::size_t k = 0; k < friends->size() && k < 20; ++k) {
                    static_cast<void>((*friends)[k].has_value());
                }
            }
        }
    }
    if (const auto names = world.get<&World::by_name>()) {
        static_cast<void>(names->find("p2").has_value());
    }
    if (const auto other = world.get<&World::other>()) {
        static_cast<void>(other->get<&World::name>());
    }
}

TEST_CASE("every changed byte is survived by a lazy image without checksums") {
    const Folder folder;
    const std::string path = folder / "world.img";
    {
        ImageWriter<World> writer;
        heapwright::test::fill(writer, 5);
        REQUIRE(writer.save(path.c_str(), 1));
    }
    std::ifstream file(path, std::ios::binary);
    const std::vector<char> read{std::istreambuf_iterator<char>(file), {}};
    auto* const bytes = static_cast<std::byte*>(std::aligned_alloc(64, (read.size() + 63) / 64 * 64));
    std::memcpy(bytes, read.data(), read.size());
    for (std::size_t at = 0; at < read.size(); ++at) {
        for (const unsigned flip : {0x01U, 0x80U, 0xFFU}) {
            bytes[at] ^= static_cast<std::byte>(flip);
            const auto image = LazyImage<World>::from_bytes({bytes, read.size()}, {.version = 1, .verify = ImageVerify::structure});
            if (image) {
                look_at(*image->root());
            }
            bytes[at] ^= static_cast<std::byte>(flip);
        }
    }
    std::free(bytes);
}

}  // namespace
