#include <heapwright/study/report/output_file.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <unistd.h>

#include <doctest/doctest.h>

namespace heapwright::study {
namespace {

class Folder {
public:
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "heapwright-output-XXXXXX").string();
        REQUIRE(mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    [[nodiscard]] std::string operator/(const char* name) const { return (path_ / name).string(); }
    [[nodiscard]] std::size_t files() const {
        return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path_), std::filesystem::directory_iterator()));
    }

private:
    std::filesystem::path path_;
};

std::string content_of(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

TEST_CASE("a file is written whole and replaced") {
    const Folder folder;
    REQUIRE(write_output(folder / "report", "first").has_value());
    REQUIRE(write_output(folder / "report", std::string(3 << 20, 'x')).has_value());
    CHECK(content_of(folder / "report") == std::string(3 << 20, 'x'));
    CHECK(folder.files() == 1);
}

TEST_CASE("a folder that is not there is told as such") {
    const Folder folder;
    const auto result = write_output(folder / "missing/report", "x");
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().kind == Errc::not_found);
}

TEST_CASE("a full disk is told as such") {
    const auto result = write_output("/dev/full", "x");
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().kind == Errc::disk_full);
    CHECK(result.error().number == 1);
}

TEST_CASE("a folder in place of the file is refused and left alone") {
    const Folder folder;
    const auto result = write_output(folder / "", "x");
    REQUIRE_FALSE(result.has_value());
    CHECK(folder.files() == 0);
}

}  // namespace
}  // namespace heapwright::study
