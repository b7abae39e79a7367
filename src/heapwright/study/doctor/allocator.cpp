#include <heapwright/study/doctor/allocator.hpp>

#include <array>
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

}  // namespace

AllocatorInUse allocator_in_use(std::span<const ProcessMapping> mappings) {
    const AllocatorInUse found = first_of(kReplacements, mappings);
    return found.kind == AllocatorKind::unknown ? first_of(kSystems, mappings) : found;
}

}  // namespace doctor

}  // namespace heapwright::study
