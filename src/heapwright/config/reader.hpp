// Reads a memory.toml inside the program it is for: without allocation, before main, never stopping it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include <heapwright/base/text.hpp>
#include <heapwright/config/memory_config.hpp>

namespace heapwright::config {

/// The variable that names the file, for a Dockerfile or a systemd unit.
inline constexpr const char* kConfigVariable = "HEAPWRIGHT_CONFIG";

/// Takes each planned site as it is read. The site is valid during the call.
class SiteSink {
public:
    constexpr SiteSink() noexcept = default;
    template <class Callable>
        requires(!std::is_same_v<std::remove_cvref_t<Callable>, SiteSink> && std::is_invocable_v<Callable&, const PlannedSite&>)
    // Implicit, so that a lambda can be passed. It must outlive the sink.
    constexpr SiteSink(Callable& callable) noexcept
        : context_(&callable), call_([](void* context, const PlannedSite& site) noexcept { (*static_cast<Callable*>(context))(site); }) {}

    void operator()(const PlannedSite& site) const noexcept {
        if (call_ != nullptr) {
            call_(context_, site);
        }
    }

private:
    void* context_ = nullptr;
    void (*call_)(void* context, const PlannedSite& site) noexcept = nullptr;
};

/// Reads the text of a memory.toml. `name` is what the sentence calls it.
///
/// Returns:  false at the first mistake: `config` has the defaults, `mistake` one line, "memory.toml:3:7: ..."; sites before
///           it have been handed over.
/// Cost:     O(letters + sites).
/// Example:  `if (!read_memory_config(text, "memory.toml", config, {}, mistake)) { tell(mistake.view()); }`
[[nodiscard]] bool read_memory_config(std::string_view text, std::string_view name, MemoryConfig& config, SiteSink sites,
                                      TextBuffer& mistake) noexcept;

/// The same from a file, which is mapped while it is read. A file that cannot be read is a mistake, too.
[[nodiscard]] bool read_memory_config_file(const char* path, MemoryConfig& config, SiteSink sites, TextBuffer& mistake) noexcept;

/// Whether HEAPWRIGHT_CONFIG names a file for this process; never for one with raised rights.
[[nodiscard]] bool is_process_configured() noexcept;

/// The configuration of this process: of the file that HEAPWRIGHT_CONFIG names; the defaults where it names none, where the
/// process runs with raised rights, and where the file has a mistake, which is then said in one line on stderr, once.
/// Sites are checked as a whole before the first is handed over.
///
/// Returns:  whether a file was read.
/// Cost:     a walk over the environment, or a read of /proc/self/environ before libc has it; the file is read again by each call.
/// Thread safety: nobody may change the environment meanwhile.
[[nodiscard]] bool read_memory_config_of_process(MemoryConfig& config, SiteSink sites = {}) noexcept;

}  // namespace heapwright::config
