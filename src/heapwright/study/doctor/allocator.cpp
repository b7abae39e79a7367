#include <heapwright/study/doctor/allocator.hpp>

#include <algorithm>
#include <array>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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
constexpr std::size_t kOwnFiles = 2;  // at the beginning
constexpr std::array kSystems{
    KnownFile{"ld-musl-", AllocatorKind::musl},
    KnownFile{"libc.musl-", AllocatorKind::musl},
    KnownFile{"libc.so.6", AllocatorKind::glibc},
    KnownFile{"libc-2.", AllocatorKind::glibc},
};

AllocatorInUse first_of(std::span<const KnownFile> files, std::span<const ProcessMapping> mappings) {
    for (const ProcessMapping& mapping : mappings) {
        for (const KnownFile& known : files) {
            if (mapping.is_file() && mapping.file_name().starts_with(known.first)) {
                return {.kind = known.second, .file = mapping.path};
            }
        }
    }
    return {};
}

/// Those that LD_PRELOAD names, in its order, which is the loader's: the first one's malloc goes before that of any library.
std::vector<KnownFile> preloaded_replacements(std::string_view preloaded) {
    std::vector<KnownFile> found;
    while (!preloaded.empty()) {
        const std::size_t end = std::min(preloaded.find_first_of(": "), preloaded.size());
        const std::string_view path = preloaded.substr(0, end);
        const std::string_view name = path.substr(path.rfind('/') + 1);
        preloaded.remove_prefix(std::min(end + 1, preloaded.size()));
        std::copy_if(kReplacements.begin(), kReplacements.end(), std::back_inserter(found),
                     [name](const KnownFile& known) { return name.starts_with(known.first); });
    }
    return found;
}

/// Debian's loader of musl is a link to its libc.so, and that is what is mapped.
bool is_musl(const ProcessMapping& mapping) {
    return mapping.is_file() && mapping.file_name() == "libc.so" && mapping.path.find("musl") != std::string::npos;
}

}  // namespace

AllocatorInUse allocator_in_use(std::span<const ProcessMapping> mappings, std::string_view preloaded) {
    for (const KnownFile& known : preloaded_replacements(preloaded)) {
        if (const AllocatorInUse found = first_of(std::span{&known, 1}, mappings); found.kind != AllocatorKind::unknown) {
            return found;
        }
    }
    // Programs that write their title over their environment (redis, nginx) leave no LD_PRELOAD to read. Ours is seldom linked and then
    // not used.
    if (const AllocatorInUse own = first_of(std::span{kReplacements}.first(kOwnFiles), mappings); own.kind != AllocatorKind::unknown) {
        return own;
    }
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
