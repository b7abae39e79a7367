// The program and its libraries, as the loader knows them: where each lies, and which build it is.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

namespace heapwright::os {

/// A loaded ELF file. What it points to is the loader's: it lives as long as the file is loaded.
struct LoadedModule {
    std::uintptr_t begin = 0;  ///< the first byte of its first segment
    std::uintptr_t end = 0;    ///< behind the last byte of its last
    std::uintptr_t bias = 0;   ///< what addresses in the file differ by from addresses in memory
    std::span<const std::uint8_t> build_id;
    std::string_view file;  ///< its path as the loader has it; empty for the program itself
};

/// Takes each module. What it is called with is valid during the call.
class ModuleVisitor {
public:
    template <class Callable>
        requires(!std::is_same_v<std::remove_cvref_t<Callable>, ModuleVisitor> && std::is_invocable_v<Callable&, const LoadedModule&>)
    // Implicit, so that a lambda can be passed. It must outlive the visitor.
    constexpr ModuleVisitor(Callable& callable) noexcept
        : context_(&callable),
          call_([](void* context, const LoadedModule& module) noexcept { (*static_cast<Callable*>(context))(module); }) {}

    void operator()(const LoadedModule& module) const noexcept { call_(context_, module); }

private:
    void* context_;
    void (*call_)(void* context, const LoadedModule& module) noexcept;
};

/// Visits every loaded module, the program first.
///
/// Thread safety: it takes the loader's lock: never while holding a lock that malloc takes, and not on a RawThread.
void for_each_module(ModuleVisitor visit) noexcept;

/// Finds modules by the code in them, without any lock.
class ModuleFinder {
public:
    constexpr ModuleFinder() noexcept = default;

    /// Asks the loader for glibc's _dl_find_object, which is there from version 2.35 on. Not from inside malloc.
    void open() noexcept;

    /// The module that this code is in. Returns: false when there is none, or nobody can be asked.
    ///
    /// Cost:     about 100 instructions, and the module's notes are read. Thread safety: any thread, also inside malloc, as long
    ///           as the module stays loaded.
    [[nodiscard]] bool find(std::uintptr_t code, LoadedModule& module) const noexcept;

private:
    using FindObject = int (*)(void* address, void* result);
    FindObject find_object_ = nullptr;
};

/// The last part of a path.
[[nodiscard]] constexpr std::string_view file_name_of(std::string_view path) noexcept {
    const std::size_t slash = path.rfind('/');
    return slash == std::string_view::npos ? path : std::string_view(path.data() + slash + 1, path.size() - slash - 1);
}

}  // namespace heapwright::os
