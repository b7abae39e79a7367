// The version of heapwright: the one place where it is written. CMakeLists.txt reads it from here.
#pragma once

namespace heapwright {

inline constexpr const char* kVersionText = "0.1.0";

}  // namespace heapwright
