// Asks the loader or the memory map which file an address of code belongs to.
#include <heapwright/trace/stack/code_finder.hpp>

#include <cstring>

#include <dlfcn.h>
#include <elf.h>
#include <link.h>

#include <heapwright/os/maps.hpp>
#include <heapwright/os/pages.hpp>

namespace heapwright::trace::stack {

namespace {

/// glibc's struct dl_find_object, so that the code also compiles against older headers.
struct FoundObject {
    unsigned long long flags;
    void* map_start;
    void* map_end;
    void* link_map;
    void* eh_frame;
    unsigned long long reserved[7];
};

constexpr std::uint64_t kRangePagesBits = 24;

constexpr std::uint64_t pack_range(std::uintptr_t begin, std::uintptr_t end) noexcept {
    constexpr std::uint64_t kMostPages = (std::uint64_t{1} << kRangePagesBits) - 1;
    const std::uint64_t pages = (end - begin) / os::kPageBytes;
    return (begin / os::kPageBytes) << kRangePagesBits | (pages < kMostPages ? pages : kMostPages);
}

constexpr bool range_contains(std::uint64_t range, std::uintptr_t address) noexcept {
    const std::uint64_t pages = range & ((std::uint64_t{1} << kRangePagesBits) - 1);
    return address / os::kPageBytes - (range >> kRangePagesBits) < pages;
}

/// What the memory map says about one address.
struct MapsAnswer {
    bool is_executable = false;
    bool is_file = false;
    std::uintptr_t begin = 0;  // of the mapping that holds the address
    std::uintptr_t end = 0;
    std::uintptr_t file_begin = 0;  // of the file's first mapping, 0: not seen
    std::uintptr_t file_begin_end = 0;
};

MapsAnswer ask_maps(std::uintptr_t pc, std::span<char> buffer) noexcept {
    MapsAnswer answer;
    os::Mapping first;  // the last seen mapping of the beginning of a file
    const auto visit = [&](const os::Mapping& mapping) noexcept {
        // The vdso has no inode and begins with its ELF header too.
        if (mapping.offset == 0 && mapping.readable && (mapping.inode != 0 || mapping.path == "[vdso]")) {
            first = mapping;
        }
        if (pc >= mapping.end) {
            return true;
        }
        if (pc >= mapping.start) {
            answer.is_executable = mapping.executable;
            answer.is_file = mapping.inode != 0 || mapping.path == "[vdso]";
            answer.begin = mapping.start;
            answer.end = mapping.end;
            if (answer.is_file && first.start != 0 && first.inode == mapping.inode && first.device_major == mapping.device_major &&
                first.device_minor == mapping.device_minor) {
                answer.file_begin = first.start;
                answer.file_begin_end = first.end;
            }
        }
        return false;
    };
    if (!os::for_each_mapping(buffer, os::MapsDetail::addresses, visit)) {
        return {};
    }
    return answer;
}

}  // namespace

namespace detail {

bool is_elf(std::uintptr_t begin, std::size_t readable_bytes) noexcept {
    return readable_bytes >= sizeof(ElfW(Ehdr)) && std::memcmp(reinterpret_cast<const char*>(begin), ELFMAG, SELFMAG) == 0;
}

CodeKind read_program_headers(std::uintptr_t begin, std::size_t readable_bytes, std::uintptr_t pc, LoadedFile& file) noexcept {
    if (!is_elf(begin, readable_bytes)) {
        return CodeKind::none;
    }
    ElfW(Ehdr) header;
    const auto* const bytes = reinterpret_cast<const char*>(begin);
    std::memcpy(&header, bytes, sizeof header);
    if (header.e_phentsize != sizeof(ElfW(Phdr)) || header.e_phoff > readable_bytes ||
        header.e_phnum > (readable_bytes - header.e_phoff) / sizeof(ElfW(Phdr))) {
        return CodeKind::none;
    }
    const auto segment = [&](unsigned number) noexcept {
        ElfW(Phdr) found;
        std::memcpy(&found, bytes + header.e_phoff + number * sizeof found, sizeof found);
        return found;
    };
    const auto first_load = [&]() noexcept -> std::uintptr_t {
        for (unsigned i = 0; i < header.e_phnum; ++i) {
            if (const auto found = segment(i); found.p_type == PT_LOAD) {
                return found.p_vaddr & ~(os::kPageBytes - 1);
            }
        }
        return 0;
    };
    const std::uintptr_t bias = begin - first_load();
    std::uintptr_t tables = 0;
    bool is_code = false;
    file = LoadedFile{begin, begin, nullptr, nullptr, nullptr};
    for (unsigned i = 0; i < header.e_phnum; ++i) {
        const auto found = segment(i);
        if (found.p_type == PT_GNU_EH_FRAME) {
            tables = bias + found.p_vaddr;
        } else if (found.p_type == PT_LOAD) {
            const std::uintptr_t loaded = bias + found.p_vaddr;
            is_code = is_code || ((found.p_flags & PF_X) != 0 && pc - loaded < found.p_memsz);
            file.end = loaded + found.p_memsz > file.end ? loaded + found.p_memsz : file.end;
        }
    }
    for (unsigned i = 0; i < header.e_phnum && tables != 0; ++i) {
        const auto found = segment(i);
        const std::uintptr_t loaded = bias + found.p_vaddr;
        if (found.p_type == PT_LOAD && (found.p_flags & PF_R) != 0 && tables - loaded < found.p_filesz) {
            file.eh_frame_hdr = reinterpret_cast<const std::uint8_t*>(tables);
            file.tables_begin = reinterpret_cast<const std::uint8_t*>(loaded);
            file.tables_end = reinterpret_cast<const std::uint8_t*>(loaded + found.p_filesz);
        }
    }
    return is_code ? CodeKind::file : CodeKind::none;
}

}  // namespace detail

void CodeFinder::open() noexcept { find_object_ = reinterpret_cast<FindObject>(dlsym(RTLD_DEFAULT, "_dl_find_object")); }

bool CodeFinder::is_loaded(std::uintptr_t pc) const noexcept {
    FoundObject found;
    return find_object_ == nullptr || find_object_(reinterpret_cast<void*>(pc), &found) == 0;
}

void CodeFinder::forget_generated() noexcept {
    for (auto& range : generated_) {
        range.store(0, std::memory_order_relaxed);  // a self-contained word
    }
}

CodeKind CodeFinder::find(std::uintptr_t pc, std::span<char> buffer, LoadedFile& file) noexcept {
    constexpr std::uintptr_t kFirstAddress = 65536;  // below lies nothing that runs
    constexpr std::uintptr_t kLastAddress = std::uintptr_t{1} << 47;
    if (pc < kFirstAddress || pc >= kLastAddress) {
        return CodeKind::none;
    }
    FoundObject found;
    if (find_object_ != nullptr && find_object_(reinterpret_cast<void*>(pc), &found) == 0) {
        const auto begin = reinterpret_cast<std::uintptr_t>(found.map_start);
        const auto end = reinterpret_cast<std::uintptr_t>(found.map_end);
        // The first OS page of a file's mapping is readable: the loader maps it with the program headers.
        const std::size_t readable = end - begin < os::kPageBytes ? end - begin : os::kPageBytes;
        if (detail::is_elf(begin, readable)) {
            return detail::read_program_headers(begin, readable, pc, file);
        }
        // Linked so that its headers are not loaded: the loader's word for the tables has to do.
        const auto* const tables = static_cast<const std::uint8_t*>(found.eh_frame);
        file = {begin, end, tables, reinterpret_cast<const std::uint8_t*>(begin), reinterpret_cast<const std::uint8_t*>(end)};
        return CodeKind::file;
    }
    for (const auto& range : generated_) {
        if (range_contains(range.load(std::memory_order_relaxed), pc)) {  // a self-contained word
            return CodeKind::generated;
        }
    }
    return find_in_maps(pc, buffer, file);
}

CodeKind CodeFinder::find_in_maps(std::uintptr_t pc, std::span<char> buffer, LoadedFile& file) noexcept {
    if (strangers_.load(std::memory_order_relaxed) >= kMaxStrangers) {  // a budget: nobody depends on its order
        return CodeKind::none;
    }
    const MapsAnswer answer = ask_maps(pc, buffer);
    if (!answer.is_executable) {
        strangers_.fetch_add(1, std::memory_order_relaxed);  // as above
        return CodeKind::none;
    }
    if (answer.file_begin != 0) {
        const CodeKind kind = detail::read_program_headers(answer.file_begin, answer.file_begin_end - answer.file_begin, pc, file);
        if (kind == CodeKind::file) {
            return kind;
        }
    }
    const std::uint32_t slot = next_range_.fetch_add(1, std::memory_order_relaxed) % kRanges;  // any slot will do
    generated_[slot].store(pack_range(answer.begin, answer.end), std::memory_order_relaxed);   // a self-contained word
    return CodeKind::generated;
}

}  // namespace heapwright::trace::stack
