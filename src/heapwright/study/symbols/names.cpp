#include <heapwright/study/symbols/names.hpp>

#include <array>
#include <cctype>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <vector>

#include <cxxabi.h>

namespace heapwright::study {
namespace {

// Clones of one function that the optimiser made: ".isra.0", ".constprop.3", ".part.1", ".cold", ".lto_priv.7", ".llvm.123".
std::string_view without_clone_suffix(std::string_view symbol) {
    static constexpr std::array<std::string_view, 7> kClones = {".isra.",     ".constprop.", ".part.",     ".cold",
                                                                ".lto_priv.", ".llvm.",      ".localalias"};
    std::size_t cut = symbol.size();
    for (const std::string_view clone : kClones) {
        cut = std::min(cut, symbol.find(clone));
    }
    symbol = symbol.substr(0, cut);
    return symbol.substr(0, symbol.find('@'));  // "memcpy@@GLIBC_2.14"
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
    for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
        text.replace(at, from.size(), to);
    }
}

// "core::fmt::write::h0123456789abcdef": the hash tells nothing to a reader and changes with every build.
void drop_rust_hash(std::string& name) {
    constexpr std::size_t kHashBytes = 19;  // "::h" and 16 digits
    if (name.size() <= kHashBytes) {
        return;
    }
    const std::size_t at = name.size() - kHashBytes;
    if (name.compare(at, 3, "::h") != 0 || name.find_first_not_of("0123456789abcdef", at + 3) != std::string::npos) {
        return;
    }
    name.resize(at);
}

bool is_name_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == ':'; }

// Drops the arguments that the standard library defaults: std::vector<int, std::allocator<int> > becomes std::vector<int>.
class DefaultsDropper {
public:
    explicit DefaultsDropper(std::string_view name) : name_(name) { out_.reserve(name.size()); }

    std::string run() {
        for (std::size_t i = 0; i < name_.size(); ++i) {
            if (ends_with_operator()) {
                i = copy_operator(i);
                continue;
            }
            step(name_[i]);
        }
        return std::move(out_);
    }

private:
    struct Open {
        char bracket;
        bool standard;         // a template of the standard library
        bool first = true;     // still in the first argument
        std::size_t argument;  // where the present argument begins in out_
    };

    void step(char c) {
        switch (c) {
            case '<': open_.push_back({c, names_standard_template(), true, out_.size() + 1}); break;
            case '(': open_.push_back({c, false, true, out_.size() + 1}); break;
            case ',':
                if (!open_.empty() && open_.back().bracket == '<') {
                    finish_argument();
                    open_.back().first = false;
                    open_.back().argument = out_.size();
                }
                break;
            case '>':
                if (!open_.empty() && open_.back().bracket == '<') {
                    finish_argument();
                    while (!out_.empty() && out_.back() == ' ') {
                        out_.pop_back();  // "> >" was for compilers of the last century
                    }
                    open_.pop_back();
                }
                break;
            case ')':
                if (!open_.empty() && open_.back().bracket == '(') {
                    open_.pop_back();
                }
                break;
            default: break;
        }
        out_.push_back(c);
    }

    void finish_argument() {
        static constexpr std::array<std::string_view, 6> kDefaults = {"std::allocator<", "std::char_traits<", "std::less<",
                                                                      "std::hash<",      "std::equal_to<",    "std::default_delete<"};
        const Open& open = open_.back();
        if (!open.standard || open.first) {
            return;
        }
        std::string_view argument = std::string_view(out_).substr(open.argument);
        while (argument.starts_with(',') || argument.starts_with(' ')) {
            argument.remove_prefix(1);
        }
        for (const std::string_view prefix : kDefaults) {
            if (argument.starts_with(prefix)) {
                out_.resize(open.argument);
                return;
            }
        }
    }

    [[nodiscard]] bool names_standard_template() const {
        std::size_t begin = out_.size();
        while (begin > 0 && is_name_char(out_[begin - 1])) {
            --begin;
        }
        const std::string_view name = std::string_view(out_).substr(begin);
        return name.starts_with("std::") || name.starts_with("__gnu_cxx::");
    }

    [[nodiscard]] bool ends_with_operator() const {
        constexpr std::string_view kWord = "operator";
        return out_.ends_with(kWord) && (out_.size() == kWord.size() || !is_name_char(out_[out_.size() - kWord.size() - 1]) ||
                                         out_[out_.size() - kWord.size() - 1] == ':');
    }

    // The characters of operator<, operator-> and the like are no brackets.
    std::size_t copy_operator(std::size_t i) {
        static constexpr std::array<std::string_view, 12> kOperators = {"<<=", ">>=", "->*", "<=>", "<<", ">>",
                                                                        "<=",  ">=",  "->",  "()",  "<",  ">"};
        for (const std::string_view symbol : kOperators) {
            if (name_.substr(i).starts_with(symbol)) {
                out_ += symbol;
                return i + symbol.size() - 1;
            }
        }
        step(name_[i]);
        return i;
    }

    std::string_view name_;
    std::string out_;
    std::vector<Open> open_;
};

struct FreeDeleter {
    void operator()(char* text) const { std::free(text); }
};

bool is_runtime_module(std::string_view module) {
    static constexpr std::array<std::string_view, 16> kModules = {
        "libc.so", "libc-2",      "libstdc++.so", "libgcc_s.so", "libc++.so",    "libc++abi.so",     "libpthread",     "ld-linux",
        "ld-2",    "libjemalloc", "libmimalloc",  "libtcmalloc", "libtbbmalloc", "libheapwright.so", "libheapwright-", "[vdso]"};
    for (const std::string_view known : kModules) {
        if (module.starts_with(known)) {
            return true;
        }
    }
    return false;
}

bool is_runtime_mangled(std::string_view symbol) {
    static constexpr std::array<std::string_view, 5> kOperators = {"_Znw", "_Zna", "_Zdl", "_Zda", "__cxa_"};
    for (const std::string_view prefix : kOperators) {
        if (symbol.starts_with(prefix)) {
            return true;
        }
    }
    std::string_view rest = symbol;
    if (!rest.starts_with("_Z")) {
        return false;
    }
    rest.remove_prefix(2);
    while (rest.starts_with('Z')) {  // something local to a function: the function decides
        rest.remove_prefix(1);
    }
    if (rest.starts_with('N')) {
        rest.remove_prefix(1);
        while (!rest.empty() && std::string_view("rVKRO").find(rest.front()) != std::string_view::npos) {
            rest.remove_prefix(1);
        }
    }
    static constexpr std::array<std::string_view, 12> kNamespaces = {
        "St", "Sa", "Ss", "Sb", "Si", "So", "Sd", "9__gnu_cxx", "10__cxxabiv1", "5alloc5alloc", "5alloc7raw_vec", "3std2rt"};
    for (const std::string_view prefix : kNamespaces) {
        if (rest.starts_with(prefix)) {
            return true;
        }
    }
    return false;
}

// xmalloc, zcalloc, g_malloc0_n, PyMem_RawMalloc, sqlite3_realloc64, luaM_malloc_ ...: every C program has its own.
bool is_malloc_wrapper(std::string_view symbol) {
    std::string name;
    for (const char c : symbol) {
        name.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
    }
    static constexpr std::array<std::string_view, 7> kTails = {"_", "_n", "_num", "_usable", "raw", "zero", "nn"};
    for (bool again = true; again && !name.empty();) {
        again = std::isdigit(static_cast<unsigned char>(name.back())) != 0;
        if (again) {
            name.pop_back();
            continue;
        }
        for (const std::string_view tail : kTails) {
            if (name.size() > tail.size() && name.ends_with(tail)) {
                name.resize(name.size() - tail.size());
                again = true;
                break;
            }
        }
    }
    static constexpr std::array<std::string_view, 8> kWords = {"malloc",       "calloc",   "zalloc", "realloc",
                                                               "reallocarray", "memalign", "strdup", "strndup"};
    for (const std::string_view word : kWords) {
        if (name.ends_with(word)) {
            return true;
        }
    }
    return false;
}

}  // namespace

std::string readable_name(std::string_view symbol) {
    const std::string bare(without_clone_suffix(symbol));
    std::string name = bare;
    if (bare.starts_with("_Z")) {
        int status = 0;
        const std::unique_ptr<char, FreeDeleter> demangled(abi::__cxa_demangle(bare.c_str(), nullptr, nullptr, &status));
        if (status == 0 && demangled) {
            name = demangled.get();
        }
        if (bare.ends_with('E') && bare.find("17h") != std::string::npos) {
            drop_rust_hash(name);
        }
    }
    if (name.find_first_of("<:") != std::string::npos) {
        replace_all(name, "std::__cxx11::", "std::");
        replace_all(name, "std::__1::", "std::");
        replace_all(name, "[abi:cxx11]", "");
        name = DefaultsDropper(name).run();
        replace_all(name, "std::basic_string<char>", "std::string");
        replace_all(name, "std::basic_string_view<char>", "std::string_view");
    }
    if (name.size() > kLongestName) {
        name.resize(kLongestName - 3);
        name += "...";
    }
    return name;
}

bool is_runtime_function(std::string_view symbol, std::string_view module) {
    if (is_runtime_module(module)) {
        return true;
    }
    const std::string_view bare = without_clone_suffix(symbol);
    if (bare.starts_with("_Z")) {
        return is_runtime_mangled(bare);
    }
    static constexpr std::array<std::string_view, 15> kNames = {
        "_start", "__libc_start_main", "__libc_start_call_main", "start_thread", "clone",     "clone3", "__clone3", "free", "cfree",
        "valloc", "pvalloc",           "aligned_alloc",          "asprintf",     "vasprintf", "getline"};
    for (const std::string_view name : kNames) {
        if (bare == name) {
            return true;
        }
    }
    return bare.starts_with("std::") || bare.starts_with("__gnu_cxx::") || bare.starts_with("__cxa_") || bare.starts_with("__rust_") ||
           bare.starts_with("__rdl_") || is_malloc_wrapper(bare);
}

}  // namespace heapwright::study
