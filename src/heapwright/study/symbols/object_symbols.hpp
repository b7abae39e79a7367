// One ELF file, opened for questions: which functions, inlined ones included, does this address belong to?
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <heapwright/study/symbols/frame.hpp>

namespace heapwright::study {

/// Where symbols may come from.
struct SymbolSources {
    /// Folders that hold .build-id/xx/yyyy.debug and copies of the tree for .gnu_debuglink.
    std::vector<std::string> debug_roots = {"/usr/lib/debug"};
    /// Ask the servers of DEBUGINFOD_URLS. Off unless the user wants it: it may wait for a network.
    bool debuginfod = false;
    /// Read DWARF. Without it only symbol tables are used: faster, no lines, no inlined functions.
    bool lines = true;
};

/// The symbols of one file.
///
/// Thread safety: one caller.
class ObjectSymbols {
public:
    enum class State : std::uint8_t {
        ready,      ///< the file, or its debug file, is the recorded build
        missing,    ///< neither can be opened
        changed,    ///< the file has another build-id than the recorded one, and no debug file for the recorded one is installed
        not_an_elf  ///< it opens, but is no ELF file
    };

    /// Opens `path`, recorded with `build_id` (empty: none to compare).
    ObjectSymbols(const std::string& path, const std::vector<std::uint8_t>& build_id, const SymbolSources& sources);
    ~ObjectSymbols();
    ObjectSymbols(const ObjectSymbols&) = delete;
    ObjectSymbols& operator=(const ObjectSymbols&) = delete;

    [[nodiscard]] State state() const;

    /// The build-id of the file that lies there now, as lower-case hex; empty when it has none or cannot be read.
    [[nodiscard]] const std::string& present_build_id() const;

    /// The frames at a file address, innermost first; never empty. Without any knowledge: one frame named by the address.
    [[nodiscard]] std::vector<Frame> frames_at(std::uint64_t file_address);

private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

/// "0a1b2c": bytes as lower-case hex.
[[nodiscard]] std::string hex_of(const std::vector<std::uint8_t>& bytes);

}  // namespace heapwright::study
