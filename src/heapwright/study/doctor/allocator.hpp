// Whose malloc serves a process, as far as the files that it maps tell.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include <heapwright/study/doctor/examination.hpp>
#include <heapwright/study/doctor/mappings.hpp>

namespace heapwright::study::doctor {

struct AllocatorInUse {
    AllocatorKind kind = AllocatorKind::unknown;
    std::string file;  ///< the library that it comes from
};

/// A library made to replace malloc goes before libc, and of several the one that was preloaded before one that the program is
/// linked with. `preloaded` is what LD_PRELOAD was; where that is not known ours goes before others. One that is linked into the executable is not seen.
[[nodiscard]] AllocatorInUse allocator_in_use(std::span<const ProcessMapping> mappings, std::string_view preloaded = {});

}  // namespace heapwright::study::doctor
