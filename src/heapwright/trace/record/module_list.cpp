// Reading the loader's list with dl_iterate_phdr: ranges, paths and build-ids.
#include <heapwright/trace/record/module_list.hpp>

#include <cstring>
#include <string_view>

#include <elf.h>
#include <link.h>

#include <heapwright/base/text.hpp>
#include <heapwright/os/pages.hpp>
#include <heapwright/os/process.hpp>
#include <heapwright/trace/records.hpp>

namespace heapwright::trace::record {

namespace {

constexpr std::size_t kListBytes = std::size_t{1} << 20;

std::span<const std::uint8_t> build_id_in(const std::uint8_t* notes, std::size_t bytes) noexcept {
    while (bytes >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) note;
        std::memcpy(&note, notes, sizeof(note));
        const std::size_t name_bytes = (note.n_namesz + 3U) & ~std::size_t{3};
        const std::size_t text_bytes = (note.n_descsz + 3U) & ~std::size_t{3};
        const std::size_t whole = sizeof(note) + name_bytes + text_bytes;
        if (whole > bytes) {
            break;
        }
        const std::uint8_t* name = notes + sizeof(note);
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && std::memcmp(name, "GNU", 4) == 0) {
            return {name + name_bytes, note.n_descsz};
        }
        notes += whole;
        bytes -= whole;
    }
    return {};
}

/// Where the segments of a loaded file lie.
Module describe(const dl_phdr_info& info) noexcept {
    Module module;
    module.begin = ~std::uint64_t{0};
    module.bias = info.dlpi_addr;
    for (unsigned at = 0; at < info.dlpi_phnum; ++at) {
        const ElfW(Phdr)& segment = info.dlpi_phdr[at];
        const std::uint64_t begin = info.dlpi_addr + segment.p_vaddr;
        if (segment.p_type == PT_LOAD) {
            module.begin = begin < module.begin ? begin : module.begin;
            module.end = begin + segment.p_memsz > module.end ? begin + segment.p_memsz : module.end;
        } else if (segment.p_type == PT_NOTE && module.build_id.empty()) {
            module.build_id = build_id_in(reinterpret_cast<const std::uint8_t*>(begin), segment.p_memsz);
        }
    }
    return module;
}

struct Reading {
    ByteWriter out;
    ModuleWriter writer;
    ModuleList list;
    std::uint64_t loaded = 0;
    std::uint64_t unloaded = 0;
    const char* program = "";
    bool unchanged = false;
};

int put_module(dl_phdr_info* info, std::size_t, void* context) noexcept {
    auto& reading = *static_cast<Reading*>(context);
    if (info->dlpi_adds == reading.loaded && info->dlpi_subs == reading.unloaded) {
        reading.unchanged = true;
        return 1;
    }
    Module module = describe(*info);
    if (module.begin >= module.end) {
        return 0;  // not mapped yet
    }
    const bool is_program = reading.list.modules == 0 && info->dlpi_name[0] == '\0';
    module.path = is_program ? reading.program : info->dlpi_name;
    const std::size_t before = reading.out.size();
    reading.writer.write(reading.out, module);
    if (reading.out.overflowed()) {
        reading.out.rewind(before);
        return 1;
    }
    ++reading.list.modules;
    return 0;
}

int take_counters(dl_phdr_info* info, std::size_t, void* context) noexcept {
    auto& reading = *static_cast<Reading*>(context);
    reading.loaded = info->dlpi_adds;
    reading.unloaded = info->dlpi_subs;
    return 1;
}

struct Search {
    std::uintptr_t code;
    ModuleOf& found;
};

int match_module(dl_phdr_info* info, std::size_t, void* context) noexcept {
    auto& search = *static_cast<Search*>(context);
    const Module module = describe(*info);
    if (search.code < module.begin || search.code >= module.end) {
        return 0;
    }
    ModuleOf& found = search.found;
    TextBuffer(found.path, sizeof(found.path)).append(info->dlpi_name);
    found.build_id_bytes = module.build_id.size() < sizeof(found.build_id) ? module.build_id.size() : sizeof(found.build_id);
    std::memcpy(found.build_id, module.build_id.data(), found.build_id_bytes);
    found.begin = module.begin;
    found.end = module.end;
    return 1;
}

}  // namespace

void ModuleList::free() noexcept {
    if (payload != nullptr) {
        os::release(payload, mapped_bytes);
    }
    *this = {};
}

ModuleList read_modules(std::uint64_t& loaded, std::uint64_t& unloaded) noexcept {
    Reading now;
    dl_iterate_phdr(take_counters, &now);
    if (now.loaded == loaded && now.unloaded == unloaded) {
        return {};
    }
    Text<kMaxProgramPathBytes> program;
    static_cast<void>(os::append_program_path(program));
    Reading reading;
    reading.loaded = loaded;
    reading.unloaded = unloaded;
    reading.program = program.c_str();
    reading.list.payload = static_cast<std::uint8_t*>(os::map_observer_pages(kListBytes, "heapwright modules"));
    if (reading.list.payload == nullptr) {
        return {};
    }
    reading.list.mapped_bytes = kListBytes;
    reading.out = ByteWriter({reading.list.payload, kListBytes});
    dl_iterate_phdr(put_module, &reading);
    reading.list.payload_bytes = reading.out.size();
    if (reading.unchanged) {
        reading.list.free();
        return {};
    }
    loaded = now.loaded;
    unloaded = now.unloaded;
    return reading.list;
}

bool find_module(const void* code, ModuleOf& module) noexcept {
    Search search{reinterpret_cast<std::uintptr_t>(code), module};
    return dl_iterate_phdr(match_module, &search) == 1;
}

}  // namespace heapwright::trace::record
