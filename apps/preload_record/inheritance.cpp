// Composing LD_PRELOAD and HEAPWRIGHT_RECORD for the next program.
#include "inheritance.hpp"

#include <cstring>

#include <dlfcn.h>

#include <heapwright/trace/record/options.hpp>

namespace heapwright::preload {

namespace {

constexpr std::string_view kPreload = "LD_PRELOAD=";
constexpr std::string_view kOptions = "HEAPWRIGHT_RECORD=";

constinit char library_path[trace::record::kPathBytesMax] = "";
constinit char options_text[2 * trace::record::kPathBytesMax] = "";
constinit bool passes_on = false;

std::size_t keep(const char* from, char* to, std::size_t room) noexcept {
    const std::size_t length = std::strlen(from);
    if (length >= room) {
        return 0;
    }
    std::memcpy(to, from, length + 1);
    return length;
}

char* append(char* at, std::string_view text) noexcept {
    std::memcpy(at, text.data(), text.size());
    return at + text.size();
}

}  // namespace

void remember_inheritance(const char* options, bool children) noexcept {
    Dl_info self;
    passes_on = children && dladdr(reinterpret_cast<const void*>(&remember_inheritance), &self) != 0 && self.dli_fname[0] == '/' &&
                keep(self.dli_fname, library_path, sizeof(library_path)) != 0;
    if (options != nullptr && keep(options, options_text, sizeof(options_text)) == 0) {
        passes_on = false;
    }
}

Inheritance::Inheritance(char* const* environment) noexcept : environment_(environment) {
    if (!passes_on || environment == nullptr) {
        return;
    }
    lacks_library_ = true;
    lacks_options_ = options_text[0] != '\0';
    library_at_ = ~std::size_t{0};
    const std::string_view library(library_path);
    std::size_t others = 0;
    for (; environment[count_] != nullptr; ++count_) {
        const std::string_view entry(environment[count_]);
        if (entry.starts_with(kPreload)) {
            library_at_ = count_;
            others = entry.size() - kPreload.size();
            lacks_library_ = entry.find(library) == std::string_view::npos;
        } else if (entry.starts_with(kOptions)) {
            lacks_options_ = false;
        }
    }
    text_bytes_ = kPreload.size() + library.size() + 1 + others + 1 + kOptions.size() + std::strlen(options_text) + 1;
}

void Inheritance::write(char** pointers, char* text) const noexcept {
    std::size_t used = 0;
    for (; used < count_; ++used) {
        pointers[used] = environment_[used];
    }
    if (lacks_library_) {
        const bool replaces = library_at_ < count_;
        pointers[replaces ? library_at_ : used++] = text;
        text = append(append(text, kPreload), library_path);
        if (replaces && environment_[library_at_][kPreload.size()] != '\0') {
            text = append(append(text, ":"), environment_[library_at_] + kPreload.size());
        }
        *text++ = '\0';
    }
    if (lacks_options_) {
        pointers[used++] = text;
        *append(append(text, kOptions), options_text) = '\0';
    }
    pointers[used] = nullptr;
}

}  // namespace heapwright::preload
