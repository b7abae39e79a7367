#include <heapwright/study/symbols/names.hpp>

#include <string>

#include <doctest/doctest.h>

namespace heapwright::study {
namespace {

TEST_CASE("a mangled name becomes what stands in the source") {
    CHECK(readable_name("_ZN7fixture6nestedEv") == "fixture::nested()");
    CHECK(readable_name("main") == "main");
    CHECK(readable_name("_Zno_such_mangling") == "_Zno_such_mangling");
    CHECK(readable_name("").empty());
}

TEST_CASE("arguments that the standard library defaults are left out") {
    CHECK(readable_name("_ZNSt6vectorIiSaIiEE17_M_realloc_insertIJiEEEvN9__gnu_cxx17__normal_iteratorIPiS1_EEDpOT_") ==
          "void std::vector<int>::_M_realloc_insert<int>(__gnu_cxx::__normal_iterator<int*, std::vector<int>>, int&&)");
    CHECK(readable_name("_Z3useRKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE") == "use(std::string const&)");
    CHECK(readable_name("_Z3useSt17basic_string_viewIcSt11char_traitsIcEE") == "use(std::string_view)");
    CHECK(readable_name("_Z3useSt3mapIiSt6vectorIlSaIlEESt4lessIiESaISt4pairIKiS1_EEE") == "use(std::map<int, std::vector<long>>)");
    CHECK(readable_name("_Z3useSt10unique_ptrIiSt14default_deleteIiEE") == "use(std::unique_ptr<int>)");
}

TEST_CASE("a user's template keeps its allocator and an allocator of its own is kept by the standard ones") {
    CHECK(readable_name("_Z3use4ListIiSaIiEE") == "use(List<int, std::allocator<int>>)");
    CHECK(readable_name("_Z3useSt6vectorIi5AllocIiEE") == "use(std::vector<int, Alloc<int>>)");
    CHECK(readable_name("_Z3useSaIiE") == "use(std::allocator<int>)");
}

TEST_CASE("operators that look like brackets do not confuse it") {
    CHECK(readable_name("_ZltRK1AS1_") == "operator<(A const&, A const&)");
    CHECK(readable_name("_ZN1AptEv") == "A::operator->()");
    CHECK(readable_name("_ZN1AclEi") == "A::operator()(int)");
    CHECK(readable_name("_ZlsRSoRK1A") == "operator<<(std::ostream&, A const&)");
    CHECK(readable_name("_ZssRKSt6vectorIiSaIiEES3_") == "operator<=>(std::vector<int> const&, std::vector<int> const&)");
}

TEST_CASE("clones that the optimiser made are the same function") {
    CHECK(readable_name("_ZN7fixture6nestedEv.isra.0") == "fixture::nested()");
    CHECK(readable_name("work.constprop.0.cold") == "work");
    CHECK(readable_name("memcpy@@GLIBC_2.14") == "memcpy");
}

TEST_CASE("the hash of Rust's older mangling is dropped") {
    CHECK(readable_name("_ZN4core3fmt5write17h0123456789abcdefE") == "core::fmt::write");
}

TEST_CASE("a name longer than the limit is cut") {
    const std::string name = readable_name(std::string(5000, 'x'));
    CHECK(name.size() == kLongestName);
    CHECK(name.ends_with("..."));
}

TEST_CASE("the C and C++ runtime and allocation wrappers are known as such") {
    for (const char* symbol : {"_Znwm", "_ZnamRKSt9nothrow_t", "malloc", "xmalloc", "g_malloc0_n", "PyMem_RawMalloc", "sqlite3_realloc64",
                               "luaM_malloc_", "zcalloc_usable", "xstrdup", "__libc_start_main", "_start", "start_thread",
                               "_ZNSt6vectorIiSaIiEE17_M_realloc_insertIJiEEEvN9__gnu_cxx17__normal_iteratorIPiS1_EEDpOT_",
                               "_ZNKSt8functionIFvvEEclEv", "_ZN9__gnu_cxx13new_allocatorIiE8allocateEmPKv", "_ZNSaIiE8allocateEm",
                               "_ZSt13__invoke_implIvRPFvvEJEET_St14__invoke_otherOT0_DpOT1_", "_ZNSt3__16vectorIiE6resizeEm"}) {
        INFO(symbol);
        CHECK(is_runtime_function(symbol, "program"));
    }
    CHECK(is_runtime_function("anything", "libc.so.6"));
    CHECK(is_runtime_function("", "libstdc++.so.6.0.30"));
    CHECK(is_runtime_function("", "libjemalloc.so.2"));
}

TEST_CASE("the user's own functions are not the runtime's") {
    for (const char* symbol : {"main", "_ZN7fixture6nestedEv", "_Z4makeIiESt6vectorIT_SaIS1_EEv", "_ZneRK1AS1_", "_ZngRK1A", "sqlite3_open",
                               "allocate_table", "malloc_stats_handler", "_ZN4core3run4stepEv", "_ZN5Stack4pushEi", "restart"}) {
        INFO(symbol);
        CHECK_FALSE(is_runtime_function(symbol, "program"));
    }
}

}  // namespace
}  // namespace heapwright::study
