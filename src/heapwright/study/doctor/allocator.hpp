// Whose malloc serves a process, as far as the files that it maps tell.
#pragma once

#include <span>
#include <string>

#include <heapwright/study/doctor/examination.hpp>
#include <heapwright/study/doctor/mappings.hpp>

namespace heapwright::study::doctor {

struct AllocatorInUse {
    AllocatorKind kind = AllocatorKind::unknown;
    std::string file;  ///< the library that it comes from
};

/// A library made to replace malloc goes before libc. One that is linked into the executable is not seen.
[[nodiscard]] AllocatorInUse allocator_in_use(std::span<const ProcessMapping> mappings);

}  // namespace heapwright::study::doctor
