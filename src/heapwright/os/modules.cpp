// Program headers give a module's bounds, its notes the build id.
#include <heapwright/os/modules.hpp>

#include <cstddef>

#include <dlfcn.h>
#include <elf.h>
#include <link.h>

#include <heapwright/os/pages.hpp>

namespace heapwright::os {

namespace {

std::span<const std::uint8_t> build_id_in(const std::uint8_t* notes, std::size_t bytes) noexcept {
    while (bytes >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) note;
        __builtin_memcpy(&note, notes, sizeof(note));
        const std::size_t name_bytes = (note.n_namesz + std::size_t{3}) & ~std::size_t{3};
        const std::size_t text_bytes = (note.n_descsz + std::size_t{3}) & ~std::size_t{3};
        const std::size_t whole = sizeof(note) + name_bytes + text_bytes;
        if (whole > bytes) {
            break;
        }
        const std::uint8_t* const name = notes + sizeof(note);
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && __builtin_memcmp(name, "GNU", 4) == 0) {
            return {name + name_bytes, note.n_descsz};
        }
        notes += whole;
        bytes -= whole;
    }
    return {};
}

LoadedModule describe(std::uintptr_t bias, const char* file, std::span<const ElfW(Phdr)> segments) noexcept {
    LoadedModule module{.begin = UINTPTR_MAX, .end = 0, .bias = bias, .build_id = {}, .file = file == nullptr ? "" : file};
    for (const ElfW(Phdr) & segment : segments) {
        const std::uintptr_t begin = bias + segment.p_vaddr;
        if (segment.p_type == PT_LOAD) {
            module.begin = begin < module.begin ? begin : module.begin;
            module.end = begin + segment.p_memsz > module.end ? begin + segment.p_memsz : module.end;
        } else if (segment.p_type == PT_NOTE && module.build_id.empty()) {
            module.build_id = build_id_in(reinterpret_cast<const std::uint8_t*>(begin), segment.p_memsz);
        }
    }
    return module;
}

int visit_one(dl_phdr_info* info, std::size_t, void* context) noexcept {
    const LoadedModule module = describe(info->dlpi_addr, info->dlpi_name, {info->dlpi_phdr, info->dlpi_phnum});
    if (module.begin < module.end) {  // else it is not mapped yet
        (*static_cast<const ModuleVisitor*>(context))(module);
    }
    return 0;
}

/// glibc's struct dl_find_object, as far as it is read, with room for what later versions append.
struct FoundObject {
    unsigned long long flags = 0;
    void* map_start = nullptr;
    void* map_end = nullptr;
    link_map* map = nullptr;
    unsigned long long rest[12] = {};
};

}  // namespace

void for_each_module(ModuleVisitor visit) noexcept { dl_iterate_phdr(visit_one, &visit); }

void ModuleFinder::open() noexcept { find_object_ = reinterpret_cast<FindObject>(dlsym(RTLD_DEFAULT, "_dl_find_object")); }

bool ModuleFinder::find(std::uintptr_t code, LoadedModule& module) const noexcept {
    FoundObject found;
    if (find_object_ == nullptr || find_object_(reinterpret_cast<void*>(code), &found) != 0 || found.map == nullptr) {
        return false;
    }
    // The file's header is at its start where the loader maps it; the program headers follow it in all that linkers make.
    const auto* const start = static_cast<const std::uint8_t*>(found.map_start);
    ElfW(Ehdr) header;
    __builtin_memcpy(&header, start, sizeof(header));
    const bool is_elf = __builtin_memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 && header.e_phentsize == sizeof(ElfW(Phdr));
    if (!is_elf || header.e_phoff + header.e_phnum * sizeof(ElfW(Phdr)) > kPageBytes) {
        return false;
    }
    module = describe(found.map->l_addr, found.map->l_name, {reinterpret_cast<const ElfW(Phdr)*>(start + header.e_phoff), header.e_phnum});
    return module.begin < module.end;
}

}  // namespace heapwright::os
