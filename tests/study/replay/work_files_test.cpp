// Files of a replay have no name, and so cannot be left behind.
#include <heapwright/study/replay/work_files.hpp>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>

#include <unistd.h>

#include <doctest/doctest.h>

namespace heapwright::test {
namespace {

namespace fs = std::filesystem;

struct Folder {
    fs::path path = fs::temp_directory_path() / ("heapwright-work-" + std::to_string(getpid()));
    Folder() { fs::create_directories(path); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() { fs::remove_all(path); }
};

}  // namespace

TEST_CASE("files can be written and read by their paths while no folder shows them") {
    const Folder folder;
    study::WorkFiles files{folder.path.string()};
    const auto first = files.make();
    const auto second = files.make();
    REQUIRE(first.has_value());
    REQUIRE(second.has_value());
    std::ofstream{*first} << "one";
    std::ofstream{*second} << "two";
    std::string text;
    std::ifstream{*first} >> text;
    CHECK(text == "one");
    CHECK(fs::is_empty(folder.path));
}

TEST_CASE("a folder that is not there is an error with its errno") {
    study::WorkFiles files{"/no/such/folder"};
    const auto made = files.make();
    REQUIRE_FALSE(made.has_value());
    CHECK(made.error().kind == Errc::io_failed);
    CHECK(made.error().system_errno == ENOENT);
}

}  // namespace heapwright::test
