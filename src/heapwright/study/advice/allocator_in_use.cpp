#include <heapwright/study/advice/allocator_in_use.hpp>

#include <array>
#include <string_view>

namespace heapwright::study {

namespace {

struct Known {
    std::string_view part;  // of the library's file name
    AllocatorInUse::Family family;
    std::string_view spec;
};

constexpr std::array<Known, 7> kKnown = {{{"glibc", AllocatorInUse::Family::glibc, "glibc"},
                                          {"mimalloc", AllocatorInUse::Family::mimalloc, "mimalloc"},
                                          {"jemalloc", AllocatorInUse::Family::jemalloc, "jemalloc"},
                                          {"tcmalloc", AllocatorInUse::Family::tcmalloc, "tcmalloc"},
                                          {"tbbmalloc", AllocatorInUse::Family::tbbmalloc, "tbbmalloc"},
                                          {"libheapwright.so", AllocatorInUse::Family::heapwright, "heapwright"},
                                          {"libc.so", AllocatorInUse::Family::glibc, "glibc"}}};

}  // namespace

AllocatorInUse allocator_in_use(const std::map<std::string, std::string>& provenance) {
    const auto name = provenance.find("allocator");
    const auto path = provenance.find("allocator_path");
    if (name == provenance.end()) {
        return {.family = AllocatorInUse::Family::glibc, .spec = "glibc", .name = "glibc"};
    }
    for (const Known& known : kKnown) {
        if (name->second.find(known.part) != std::string::npos) {
            return {.family = known.family, .spec = std::string(known.spec), .name = name->second};
        }
    }
    return {.family = AllocatorInUse::Family::other, .spec = path == provenance.end() ? name->second : path->second, .name = name->second};
}

}  // namespace heapwright::study
