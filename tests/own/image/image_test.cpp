#include <heapwright/own/image/image.hpp>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sys/resource.h>
#include <sys/stat.h>

#include <doctest/doctest.h>

#include <heapwright/own/image/detail/check_memory.hpp>
#include <heapwright/own/image/detail/checksum.hpp>
#include <heapwright/own/image/fault.hpp>
#include <heapwright/own/image/image_arena.hpp>
#include <heapwright/own/image/image_writer.hpp>

#include <tests/own/image/world.hpp>
#include <tests/support/death.hpp>
#include <tests/support/random.hpp>

namespace {

using namespace heapwright;
using heapwright::test::Folder;
using heapwright::test::Person;
using heapwright::test::Walk;
using heapwright::test::World;

struct Link {
    ImageRef<Link> next;
    ImageVector<ImageRef<Link>> all;
    static constexpr ImageMembers<&Link::next, &Link::all> kImageMembers{};
};

TEST_CASE("what was built is what is mapped back, and what is copied back") {
    const Folder folder;
    const std::string path = folder / "world.img";
    std::uint64_t built = 0;
    {
        ImageWriter<World> writer;
        heapwright::test::fill(writer, 100);
        built = Walk().over(writer.root());
        REQUIRE(writer.save(path.c_str(), 7));
        CHECK(writer.arena().broken_invariant() == nullptr);
    }
    for (const ImageLoad load : {ImageLoad::map, ImageLoad::copy}) {
        for (const ImageVerify verify : {ImageVerify::all, ImageVerify::structure}) {
            const auto image = Image<World>::open(path.c_str(), {.version = 7, .verify = verify, .load = load});
            REQUIRE(image);
            CHECK(Walk().over(image->root()) == built);
            const World& world = **image;
            CHECK(world.people.size() == 100);
            const auto* const found = world.by_name.find("a person of long name 33");
            REQUIRE(found != nullptr);
            CHECK((*found)->age == 33);
            CHECK((*found)->mother->name == "p34");
            CHECK(world.by_name.find("a person of long name 34") == nullptr);
            CHECK(*world.numbers.find(-11) == 3);
            CHECK_FALSE(world.numbers.contains(0));
            CHECK(world.other->people.data() == world.people.data());
            CHECK(world.truths[1][4]);
        }
    }
}

TEST_CASE("a saved file replaces the old one whole, and nothing is left beside it") {
    const Folder folder;
    const std::string path = folder / "world.img";
    for (std::size_t people = 1; people < 4; ++people) {
        ImageWriter<World> writer;
        heapwright::test::fill(writer, people);
        REQUIRE(writer.save(path.c_str(), 1));
        const auto image = Image<World>::open(path.c_str(), {.version = 1});
        REQUIRE(image);
        CHECK((*image)->people.size() == people);
    }
    CHECK(folder.entries() == 1);
    ImageWriter<World> writer;
    const auto nowhere = writer.save((folder / "missing/world.img").c_str(), 1);
    REQUIRE_FALSE(nowhere);
    CHECK(nowhere.error().kind == Errc::not_found);
}

TEST_CASE("a file that cannot become so large is told, and the old image stays") {
    const Folder folder;
    const std::string path = folder / "world.img";
    {
        ImageWriter<World> writer;
        heapwright::test::fill(writer, 2);
        REQUIRE(writer.save(path.c_str(), 1));
    }
    const auto death = heapwright::test::death_of([&] {
        const rlimit limit{.rlim_cur = 100'000, .rlim_max = 100'000};
        std::signal(SIGXFSZ, SIG_IGN);
        ::setrlimit(RLIMIT_FSIZE, &limit);
        ImageWriter<World> writer;
        heapwright::test::fill(writer, 5000);
        const auto saved = writer.save(path.c_str(), 1);
        ::_exit(!saved && saved.error().kind == Errc::limit_reached ? 33 : 34);
    });
    CHECK(death.exit_status == 33);
    const auto image = Image<World>::open(path.c_str(), {.version = 1});
    REQUIRE(image);
    CHECK((*image)->people.size() == 2);
    CHECK(folder.entries() == 1);
}

TEST_CASE("an image that would be refused is not saved") {
    const Folder folder;
    const std::string path = folder / "world.img";
    const Person stranger{};
    ImageWriter<World> writer;
    heapwright::test::fill(writer, 3);
    auto& inside = writer.make<Person>();
    writer.root().other = nullptr;
    const auto people = writer.make_vector(writer.root().people, 1);
    people[0].mother = &stranger;
    const auto outside = writer.save(path.c_str(), 1);
    REQUIRE_FALSE(outside);
    CHECK(image_fault(outside.error()) == ImageFault::wrong_reference);
    people[0].mother = &inside;
    CHECK(writer.save(path.c_str(), 1).has_value());
    const auto numbers = writer.make_map(writer.root().numbers, 2);
    numbers[0].key = numbers[1].key = 4;
    CHECK_FALSE(writer.sort(numbers));
    CHECK(image_fault(writer.save(path.c_str(), 1).error()) == ImageFault::map_not_sorted);
}

TEST_CASE("an image has a limit, and says so when it is reached") {
    ImageWriter<World> writer(std::size_t{1} << 20);
    ImageVector<std::uint64_t> row;
    CHECK(writer.try_make_vector(row, std::size_t{1} << 20).empty());
    CHECK(row.empty());
    ImageVector<char> letters;
    CHECK(writer.try_make_vector(letters, 900'000).size() == 900'000);
    CHECK(writer.try_make<std::array<std::uint64_t, 30'000>>() == nullptr);
    const auto saved = writer.save("/nowhere", 1);
    REQUIRE_FALSE(saved);
    CHECK(saved.error().kind == Errc::limit_reached);
    CHECK(image_fault(saved.error()) == ImageFault::too_large);
    ImageWriter<World> none(0);
    CHECK(heapwright::test::death_of([&] { none.root().other = nullptr; }).died);
}

TEST_CASE("copies of references, rows and texts lead where the first ones do") {
    ImageWriter<World> writer;
    heapwright::test::fill(writer, 4);
    const World copy = writer.root();  // on the stack, far from the image
    CHECK(Walk().over(copy) == Walk().over(writer.root()));
    ImageRef<Person> nobody;
    ImageRef<Person> somebody = &copy.people[1];
    CHECK_FALSE(nobody);
    CHECK(nobody.get() == nullptr);
    nobody = somebody;
    CHECK(nobody == somebody);
    CHECK(nobody->age == 1);
    struct Narcissus {
        ImageRef<Narcissus> self;
    };
    Narcissus narcissus;
    narcissus.self = &narcissus;
    CHECK(narcissus.self);
    CHECK(narcissus.self.get() == &narcissus);
    ImageString text = copy.people[1].name;
    ImageString& same = text;
    text = same;
    CHECK(text == "a person of long name 1");
    CHECK(ImageString().empty());
}

TEST_CASE("texts are ordered as bytes are, whatever their length") {
    ImageWriter<World> writer;
    heapwright::test::Random random(4);
    std::vector<std::string> texts{
        "", "a", "ab", "abcd", "abcde", "abcdefghijkl", "abcdefghijklm", "abcdefghijklmn", "\xFF", std::string(3, '\0')};
    for (int i = 0; i < 100; ++i) {
        std::string text(random.below(20), 'x');
        for (char& letter : text) {
            letter = static_cast<char>('a' + random.below(2));
        }
        texts.push_back(text);
    }
    for (const std::string& a : texts) {
        auto& text = writer.make<ImageString>();
        writer.set(text, a);
        REQUIRE(text.view() == a);
        REQUIRE((text == a));
        for (const std::string& b : texts) {
            const int order = text.compare(b);
            REQUIRE((order < 0) == (std::string_view(a) < std::string_view(b)));
            REQUIRE((order == 0) == (a == b));
        }
    }
}

TEST_CASE("maps find what ordinary maps find") {
    for (std::uint64_t round = 0; round < 20; ++round) {
        heapwright::test::Random random(round);
        std::map<std::int32_t, std::uint64_t> expected;
        for (std::uint64_t i = random.below(100); i > 0; --i) {
            expected[static_cast<std::int32_t>(random.below(200)) - 100] = random.next();
        }
        ImageWriter<World> writer;
        const auto entries = writer.make_map(writer.root().numbers, expected.size());
        auto next = expected.begin();
        for (auto& entry : entries) {
            entry = {.key = next->first, .value = next->second};
            ++next;
        }
        std::reverse(entries.begin(), entries.end());
        REQUIRE(writer.sort(entries));
        REQUIRE(writer.check());
        for (std::int32_t key = -110; key < 110; ++key) {
            const std::uint64_t* const value = writer.root().numbers.find(key);
            REQUIRE((value != nullptr) == expected.contains(key));
            REQUIRE((value == nullptr || *value == expected[key]));
        }
    }
}

TEST_CASE("a chain of a million values is checked without a call stack, and a value shared a million times once") {
    ImageWriter<Link> writer;
    Link* last = &writer.root();
    for (int i = 0; i < 1'000'000; ++i) {
        Link* const next = &writer.make<Link>();
        last->next = next;
        last = next;
    }
    last->next = &writer.root();
    for (ImageRef<Link>& link : writer.make_vector(last->all, 1'000'000)) {
        link = last;
    }
    CHECK(writer.check());
}

TEST_CASE("a checksum notices every change of a word") {
    heapwright::test::Random random(9);
    std::vector<std::uint64_t> words(100);
    for (std::size_t length = 0; length <= words.size(); length += 7) {
        const auto bytes = std::as_bytes(std::span(words).first(length));
        const std::uint64_t before = heapwright::detail::image_checksum(bytes, 3);
        CHECK(before != heapwright::detail::image_checksum(bytes, 4));
        std::set<std::uint64_t> sums{before};
        for (std::size_t bit = 0; bit < length * 64; ++bit) {
            words[bit / 64] ^= std::uint64_t{1} << (bit % 64);
            sums.insert(heapwright::detail::image_checksum(bytes, 3));
            words[bit / 64] ^= std::uint64_t{1} << (bit % 64);
        }
        CHECK(sums.size() == length * 64 + 1);
    }
}

}  // namespace
