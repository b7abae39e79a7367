// A structure with everything that an image can hold, and a walk that touches all of it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <string>
#include <system_error>
#include <vector>

#include <unistd.h>

#include <heapwright/own/image/image.hpp>
#include <heapwright/own/image/image_writer.hpp>

namespace heapwright::test {

enum class Mood : std::uint8_t { calm, wild };

struct Place {
    double x;
    double y;
    static constexpr ImageMembers<&Place::x, &Place::y> kImageMembers{};
};

struct Person {
    ImageString name;
    std::uint32_t age;
    Mood mood;
    bool alive;
    ImageRef<Person> mother;
    ImageVector<ImageRef<Person>> friends;
    ImageVector<ImageString> titles;
    std::array<ImageRef<Place>, 2> homes;
    static constexpr ImageMembers<&Person::name, &Person::age, &Person::mood, &Person::alive, &Person::mother, &Person::friends,
                                  &Person::titles, &Person::homes>
        kImageMembers{};
};

struct World {
    ImageString name;
    ImageVector<Person> people;
    ImageMap<ImageString, ImageRef<Person>> by_name;
    ImageMap<std::int32_t, std::uint64_t> numbers;
    ImageVector<Place> places;
    ImageVector<ImageVector<bool>> truths;
    ImageRef<World> other;
    float matrix[4];
    static constexpr ImageMembers<&World::name, &World::people, &World::by_name, &World::numbers, &World::places, &World::truths,
                                  &World::other, &World::matrix>
        kImageMembers{};
};

/// People in a ring of mothers, each a friend of the two before it.
inline void fill(ImageWriter<World>& writer, std::size_t people) {
    World& world = writer.root();
    writer.set(world.name, "a world with a name of many letters");
    world.matrix[3] = 2.5F;
    const auto places = writer.make_vector(world.places, 3);
    places[1].x = 0.5;
    const auto everybody = writer.make_vector(world.people, people);
    const auto names = writer.make_map(world.by_name, people);
    for (std::size_t i = 0; i < people; ++i) {
        Person& person = everybody[i];
        writer.set(person.name, (i % 2 == 0 ? "p" : "a person of long name ") + std::to_string(i));
        person.age = static_cast<std::uint32_t>(i);
        person.mood = i % 3 == 0 ? Mood::wild : Mood::calm;
        person.alive = i % 2 == 1;
        person.mother = &everybody[(i + 1) % people];
        const auto friends = writer.make_vector(person.friends, i % 3);
        for (std::size_t k = 0; k < friends.size(); ++k) {
            friends[k] = &everybody[i - k - 1];
        }
        const auto titles = writer.make_vector(person.titles, i % 2);
        for (ImageString& title : titles) {
            writer.set(title, "Doctor of all that can be known");
        }
        person.homes[i % 2] = &places[i % 3];
        names[i].key = person.name;
        names[i].value = &person;
    }
    static_cast<void>(writer.sort(names));
    const auto numbers = writer.make_map(world.numbers, 4);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        numbers[i] = {.key = 10 - 7 * static_cast<std::int32_t>(i), .value = i};
    }
    static_cast<void>(writer.sort(numbers));
    const auto truths = writer.make_vector(world.truths, 2);
    writer.make_vector(truths[1], 9)[4] = true;
    World& other = writer.make<World>();
    writer.set(other.name, "other");
    other.other = &world;
    other.people = world.people;
    world.other = &other;
}

class Walk {
public:
    /// Touches all that can be reached without going in circles; a number that depends on every byte that matters.
    std::uint64_t over(const World& world) {
        add(world.name);
        for (const Person& person : world.people) {
            over(person);
        }
        for (const auto& entry : world.by_name) {
            add(entry.key);
            add(entry.value ? entry.value->age : 0);
        }
        for (const auto& entry : world.numbers) {
            add(static_cast<std::uint64_t>(entry.key) + entry.value);
        }
        for (const Place& place : world.places) {
            add(place.x > place.y ? 1U : 0U);
        }
        for (const auto& row : world.truths) {
            for (const bool truth : row) {
                add(truth ? 1 : 0);
            }
        }
        if (world.other && world.other->other) {
            add(world.other->other->name);
        }
        return sum_;
    }

private:
    void over(const Person& person) {
        add(person.name);
        add(person.age + static_cast<std::uint64_t>(person.mood) + (person.alive ? 1 : 0));
        if (person.mother) {
            add(person.mother->name);
        }
        for (const auto& friendly : person.friends) {
            add(friendly ? friendly->age : 0);
        }
        for (const ImageString& title : person.titles) {
            add(title);
        }
        for (const auto& home : person.homes) {
            add(home && home->x > 0 ? 1 : 0);
        }
    }
    void add(std::uint64_t number) { sum_ = (sum_ ^ number) * 0x100000001B3U; }
    void add(const ImageString& text) {
        for (const char letter : text.view()) {
            add(static_cast<unsigned char>(letter));
        }
    }

    std::uint64_t sum_ = 0xCBF29CE484222325U;
};

/// A folder of its own that goes with everything in it.
class Folder {
public:
    Folder() {
        std::string name = "/tmp/heapwright_image_XXXXXX";
        path_ = ::mkdtemp(name.data()) == nullptr ? "/nonexistent" : name;
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    [[nodiscard]] std::ptrdiff_t entries() const {
        return std::distance(std::filesystem::directory_iterator(path_), std::filesystem::directory_iterator());
    }
    [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }

private:
    std::string path_;
};

}  // namespace heapwright::test
