// Finds the program that the user named and says whether a preloaded library can see its allocations.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace heapwright::cli {

/// A program as the kernel would start it.
struct Program {
    std::string name;         ///< as the user wrote it
    std::string path;         ///< the file that execvp would run
    std::string interpreter;  ///< for a script: the ELF program its first line names, else empty

    /// The ELF file whose memory is going to be looked at.
    [[nodiscard]] const std::string& binary() const noexcept { return interpreter.empty() ? path : interpreter; }
};

/// Why a program cannot be recorded: one sentence without the leading "heapwright: ".
struct Refusal {
    std::string sentence;
};

/// Looks a name up in PATH (unless it holds a slash) and follows "#!" lines to the interpreter.
///
/// Returns: the program, or the sentence that says what is wrong with the name.
struct Lookup {
    std::optional<Program> program;
    Refusal refusal;
};
[[nodiscard]] Lookup find_program(const std::string& name);

/// Says why a preload would record nothing: a static executable, a setuid or setgid one, one that defines malloc
/// itself, or one for another kind of processor. Empty: it can be recorded.
[[nodiscard]] std::optional<Refusal> why_not_recordable(const Program& program);
/// The same in other words: "cannot run ...", with the participle "run".
[[nodiscard]] std::optional<Refusal> why_not_preloadable(const Program& program, const std::string& verb, const std::string& participle);

/// A word of a command line as the user would type it: in quotes where it needs them.
[[nodiscard]] std::string shell_word(const std::string& word);
/// All of them.
[[nodiscard]] std::string command_line(const std::vector<std::string>& words);

}  // namespace heapwright::cli
