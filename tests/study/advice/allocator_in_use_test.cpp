#include <heapwright/study/advice/allocator_in_use.hpp>

#include <doctest/doctest.h>

namespace heapwright::test {

using study::allocator_in_use;
using Family = study::AllocatorInUse::Family;

TEST_CASE("the recorded allocator is recognised by its file or name") {
    CHECK(allocator_in_use({{"allocator", "glibc 2.36"}}).spec == "glibc");
    CHECK(allocator_in_use({{"allocator", "libjemalloc.so.2"}}).family == Family::jemalloc);
    CHECK(allocator_in_use({{"allocator", "libmimalloc.so.2.0"}}).spec == "mimalloc");
    CHECK(allocator_in_use({{"allocator", "libtcmalloc_minimal.so.4"}}).spec == "tcmalloc");
    CHECK(allocator_in_use({{"allocator", "libtbbmalloc_proxy.so.2"}}).spec == "tbbmalloc");
    CHECK(allocator_in_use({{"allocator", "libheapwright.so"}}).family == Family::heapwright);
    CHECK(allocator_in_use({}).spec == "glibc");
}

TEST_CASE("an unknown allocator is replayed by its path") {
    const auto other = allocator_in_use({{"allocator", "libsnmallocshim.so"}, {"allocator_path", "/opt/libsnmallocshim.so"}});
    CHECK(other.family == Family::other);
    CHECK(other.spec == "/opt/libsnmallocshim.so");
    CHECK(other.name == "libsnmallocshim.so");
}

}  // namespace heapwright::test
