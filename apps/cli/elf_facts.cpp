#include "elf_facts.hpp"

#include <string_view>

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <gelf.h>
#include <libelf.h>

namespace heapwright::cli {
namespace {

/// Closes what it holds when the reading ends, however it ends.
class ElfFile {
public:
    explicit ElfFile(const std::string& path) : descriptor_{open(path.c_str(), O_RDONLY | O_CLOEXEC)} {
        elf_version(EV_CURRENT);
        if (descriptor_ >= 0) {
            elf_ = elf_begin(descriptor_, ELF_C_READ, nullptr);
        }
    }
    ElfFile(const ElfFile&) = delete;
    ElfFile& operator=(const ElfFile&) = delete;
    ~ElfFile() {
        elf_end(elf_);
        if (descriptor_ >= 0) {
            close(descriptor_);
        }
    }
    [[nodiscard]] Elf* get() const noexcept { return elf_; }

private:
    int descriptor_;
    Elf* elf_ = nullptr;
};

bool has_program_header(Elf* elf, GElf_Word type) {
    std::size_t count = 0;
    if (elf_getphdrnum(elf, &count) != 0) {
        return false;
    }
    for (std::size_t i = 0; i < count; ++i) {
        GElf_Phdr header;
        if (gelf_getphdr(elf, static_cast<int>(i), &header) != nullptr && header.p_type == type) {
            return true;
        }
    }
    return false;
}

// Looks at the static symbol table too: an allocator that was linked in with hidden visibility is just as invisible
// to a preload as an exported one.
bool section_defines(Elf* elf, Elf_Scn* section, const GElf_Shdr& header, std::string_view wanted) {
    Elf_Data* data = elf_getdata(section, nullptr);
    if (data == nullptr || header.sh_entsize == 0) {
        return false;
    }
    for (std::size_t i = 0; i < header.sh_size / header.sh_entsize; ++i) {
        GElf_Sym symbol;
        if (gelf_getsym(data, static_cast<int>(i), &symbol) == nullptr || symbol.st_shndx == SHN_UNDEF ||
            GELF_ST_TYPE(symbol.st_info) != STT_FUNC) {
            continue;
        }
        const char* name = elf_strptr(elf, header.sh_link, symbol.st_name);
        if (name != nullptr && wanted == name) {
            return true;
        }
    }
    return false;
}

bool defines_function(Elf* elf, std::string_view name) {
    for (Elf_Scn* section = nullptr; (section = elf_nextscn(elf, section)) != nullptr;) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) != nullptr && (header.sh_type == SHT_DYNSYM || header.sh_type == SHT_SYMTAB) &&
            section_defines(elf, section, header, name)) {
            return true;
        }
    }
    return false;
}

}  // namespace

ElfFacts read_elf_facts(const std::string& path) {
    ElfFacts facts;
    const ElfFile file{path};
    GElf_Ehdr header;
    if (file.get() == nullptr || elf_kind(file.get()) != ELF_K_ELF || gelf_getehdr(file.get(), &header) == nullptr) {
        return facts;
    }
    facts.is_elf = true;
    facts.is_x86_64 = header.e_machine == EM_X86_64 && header.e_ident[EI_CLASS] == ELFCLASS64;
    facts.has_loader = has_program_header(file.get(), PT_INTERP);
    facts.defines_malloc = defines_function(file.get(), "malloc");
    facts.has_capabilities = getxattr(path.c_str(), "security.capability", nullptr, 0) > 0;
    return facts;
}

}  // namespace heapwright::cli
