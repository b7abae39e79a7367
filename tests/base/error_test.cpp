// Errors as values: what they carry and what they are called.
#include <heapwright/base/error.hpp>

#include <cstring>
#include <set>
#include <string>
#include <type_traits>

#include <doctest/doctest.h>

namespace heapwright {
namespace {

Result<int> halve(int number) {
    if (number % 2 != 0) {
        return fail_with(Errc::invalid_argument, static_cast<std::uint64_t>(number), 22);
    }
    return number / 2;
}

}  // namespace

TEST_CASE("an error is sixteen bytes that own nothing") {
    static_assert(sizeof(Error) == 16);
    static_assert(std::is_trivially_copyable_v<Error>);
    static_assert(std::is_trivially_destructible_v<Error>);
}

TEST_CASE("a failure carries its kind, number and errno to the caller") {
    CHECK(halve(8).value() == 4);
    const Result<int> failed = halve(7);
    REQUIRE_FALSE(failed.has_value());
    CHECK(failed.error() == Error{.kind = Errc::invalid_argument, .system_errno = 22, .detail = 0, .number = 7});
}

TEST_CASE("every kind has a name of its own, and an unknown one is called so") {
    std::set<std::string> names;
    for (unsigned kind = 0; kind <= static_cast<unsigned>(Errc::child_failed); ++kind) {
        names.insert(name_of(static_cast<Errc>(kind)));
    }
    CHECK(names.size() == static_cast<std::size_t>(Errc::child_failed) + 1);
    CHECK_FALSE(names.contains("unknown error"));
    CHECK(std::strcmp(name_of(static_cast<Errc>(60'000)), "unknown error") == 0);
}

}  // namespace heapwright
