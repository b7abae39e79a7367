// Files by raw system calls: what is written comes back, and each failure has its kind.
#include <heapwright/os/file.hpp>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include <doctest/doctest.h>

namespace heapwright::os {
namespace {

/// A folder of its own for each test, removed with it.
class Folder {
public:
    Folder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "heapwright-file-XXXXXX").string();
        REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        path_ = pattern;
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() { std::filesystem::remove_all(path_); }
    [[nodiscard]] std::string operator/(const char* name) const { return path_ + "/" + name; }

private:
    std::string path_;
};

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

std::string contents(const std::string& path) {
    std::string room(1 << 20, '\0');
    room.resize(read_file(path.c_str(), room).value());
    return room;
}

}  // namespace

TEST_CASE("what is written comes back, and the size is what was written") {
    const Folder folder;
    const std::string path = folder / "a";
    const std::string text(300'000, 'x');
    {
        File file = File::create_exclusive(path.c_str()).value();
        REQUIRE(file.write_all(text).has_value());
        REQUIRE(file.write_all_at(bytes_of("head"), 0).has_value());
        CHECK(file.size().value() == text.size());
        CHECK(file.sync().has_value());
    }
    CHECK(contents(path) == "head" + text.substr(4));
}

TEST_CASE("reading goes on to the end of the file and then gives nothing") {
    const Folder folder;
    const std::string path = folder / "a";
    REQUIRE(File::create_truncate(path.c_str()).value().write_all("abcdef").has_value());
    File file = File::open_read(path.c_str()).value();
    std::byte room[4];
    CHECK(file.read_full(room).value() == 4);
    CHECK(file.read_full(room).value() == 2);
    CHECK(file.read_some(room).value() == 0);
    CHECK(file.read_some_at(room, 5).value() == 1);
    CHECK(static_cast<char>(room[0]) == 'f');
}

TEST_CASE("truncating creation empties the file, exclusive creation refuses it") {
    const Folder folder;
    const std::string path = folder / "a";
    REQUIRE(File::create_truncate(path.c_str()).value().write_all("old").has_value());
    CHECK(File::create_exclusive(path.c_str()).error() ==
          Error{.kind = Errc::invalid_argument, .system_errno = EEXIST, .detail = 0, .number = 0});
    CHECK(contents(path) == "old");
    CHECK(File::create_truncate(path.c_str()).has_value());
    CHECK(contents(path).empty());
}

TEST_CASE("a file can be cut and extended") {
    const Folder folder;
    const std::string path = folder / "a";
    File file = File::create_truncate(path.c_str()).value();
    REQUIRE(file.write_all("abcdef").has_value());
    CHECK(file.resize(2).has_value());
    CHECK(contents(path) == "ab");
    CHECK(file.resize(3).has_value());
    CHECK(contents(path) == std::string("ab\0", 3));
}

TEST_CASE("each failure has its kind and errno") {
    const Folder folder;
    CHECK(File::open_read((folder / "none").c_str()).error().kind == Errc::not_found);
    CHECK(File::create_truncate((folder / "none/below").c_str()).error().kind == Errc::not_found);
    CHECK(File::create_truncate((folder / "").c_str()).error().kind == Errc::invalid_argument);
    std::byte room[1];
    CHECK(File(-1).read_some(room).error() == Error{.kind = Errc::io_failed, .system_errno = EBADF, .detail = 0, .number = 0});
    CHECK(file_error(EACCES).kind == Errc::permission_denied);
    CHECK(file_error(ENOSPC, 7) == Error{.kind = Errc::disk_full, .system_errno = ENOSPC, .detail = 0, .number = 7});
}

TEST_CASE("a full disk is told from other failures, with the bytes that did not fit") {
    File full(::open("/dev/full", O_WRONLY));
    REQUIRE(full.is_open());
    CHECK(full.write_all("12345").error() == Error{.kind = Errc::disk_full, .system_errno = ENOSPC, .detail = 0, .number = 5});
}

TEST_CASE("a moved file has one owner and is closed once") {
    const Folder folder;
    File first = File::create_truncate((folder / "a").c_str()).value();
    const int descriptor = first.fd();
    File second = std::move(first);
    CHECK_FALSE(first.is_open());  // moved from on purpose
    CHECK(second.fd() == descriptor);
    second = File();
    CHECK(::fcntl(descriptor, F_GETFD) == -1);
}

TEST_CASE("descriptors do not survive exec") {
    const Folder folder;
    const File file = File::create_truncate((folder / "a").c_str()).value();
    CHECK((::fcntl(file.fd(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("files are renamed and removed") {
    const Folder folder;
    const std::string from = folder / "a";
    const std::string to = folder / "b";
    REQUIRE(File::create_truncate(from.c_str()).value().write_all("text").has_value());
    CHECK(rename_file(from.c_str(), to.c_str()).has_value());
    CHECK(contents(to) == "text");
    CHECK(remove_file(to.c_str()).has_value());
    CHECK(remove_file(to.c_str()).error().kind == Errc::not_found);
}

TEST_CASE("errno of the program is left alone") {
    errno = 12345;
    CHECK_FALSE(File::open_read("/nowhere/at/all").has_value());
    CHECK(errno == 12345);
}

}  // namespace heapwright::os
