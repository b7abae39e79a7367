#include <heapwright/study/doctor/allocator.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

namespace heapwright::study {

const char* name_of(AllocatorKind kind) {
    switch (kind) {
        case AllocatorKind::glibc: return "glibc";
        case AllocatorKind::heapwright: return "heapwright";
        case AllocatorKind::jemalloc: return "jemalloc";
        case AllocatorKind::tcmalloc: return "tcmalloc";
        case AllocatorKind::mimalloc: return "mimalloc";
        case AllocatorKind::musl: return "musl";
        case AllocatorKind::other: return "other";
        case AllocatorKind::unknown: break;
    }
    return "unknown";
}

namespace doctor {

namespace {

/// How a file's name begins, and whose malloc that is.
using KnownFile = std::pair<std::string_view, AllocatorKind>;

constexpr std::array kReplacements{
    KnownFile{"libheapwright.so", AllocatorKind::heapwright},
    KnownFile{"libheapwright-secure.so", AllocatorKind::heapwright},
    KnownFile{"libjemalloc", AllocatorKind::jemalloc},
    KnownFile{"libtcmalloc", AllocatorKind::tcmalloc},
    KnownFile{"libmimalloc", AllocatorKind::mimalloc},
    KnownFile{"libsnmalloc", AllocatorKind::other},
    KnownFile{"librpmalloc", AllocatorKind::other},
    KnownFile{"libhoard", AllocatorKind::other},
    KnownFile{"libtbbmalloc", AllocatorKind::other},
    KnownFile{"libscudo", AllocatorKind::other},
    KnownFile{"libhardened_malloc", AllocatorKind::other},
    KnownFile{"libasan", AllocatorKind::other},
    KnownFile{"libtsan", AllocatorKind::other},
    KnownFile{"liblsan", AllocatorKind::other},
};
constexpr std::array kSystems{
    KnownFile{"ld-musl-", AllocatorKind::musl},
    KnownFile{"libc.musl-", AllocatorKind::musl},
    KnownFile{"libc.so.6", AllocatorKind::glibc},
    KnownFile{"libc-2.", AllocatorKind::glibc},
};

template <class Files>
AllocatorInUse first_of(const Files& files, std::span<const ProcessMapping> mappings) {
    for (const ProcessMapping& mapping : mappings) {
        for (const KnownFile& known : files) {
            if (mapping.is_file() && mapping.file_name().starts_with(known.first)) {
                return {.kind = known.second, .file = mapping.path};
            }
        }
    }
    return {};
}

/// Debian's loader of musl is a link to its libc.so, and that is what is mapped.
bool is_musl(const ProcessMapping& mapping) {
    return mapping.is_file() && mapping.file_name() == "libc.so" && mapping.path.find("musl") != std::string::npos;
}

}  // namespace

AllocatorInUse allocator_in_use(std::span<const ProcessMapping> mappings) {
    const AllocatorInUse found = first_of(kReplacements, mappings);
    if (found.kind != AllocatorKind::unknown) {
        return found;
    }
    if (const auto musl = std::find_if(mappings.begin(), mappings.end(), is_musl); musl != mappings.end()) {
        return {.kind = AllocatorKind::musl, .file = musl->path};
    }
    return first_of(kSystems, mappings);
}

}  // namespace doctor

}  // namespace heapwright::study
