// What a trace says about the files that were loaded: where each lay, and which build of it that was.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace heapwright::study {

/// One executable or library as it was mapped at some moment of the recording.
struct LoadedModule {
    struct Range {
        std::uint64_t begin = 0;
        std::uint64_t end = 0;  ///< one past the last byte
    };

    std::string path;                    ///< absolute; "[vdso]" and the like for what is no file
    std::vector<std::uint8_t> build_id;  ///< empty: the file has none
    std::uint64_t bias = 0;              ///< address in memory minus address in the file
    std::vector<Range> ranges;           ///< the addresses it occupied
};

/// Names one list of modules: all that was loaded from one moment on (dlopen and dlclose start another).
enum class ModuleListId : std::uint32_t {};

}  // namespace heapwright::study
