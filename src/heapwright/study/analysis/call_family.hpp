// Which functions give back what which others handed out.
#pragma once

#include <heapwright/trace/event.hpp>

namespace heapwright::study {

/// A release by another family than the allocation's is a mismatch.
enum class CallFamily : unsigned char { c_functions, object_operators, array_operators, mappings };

[[nodiscard]] constexpr CallFamily family_of(trace::Call call) {
    switch (call) {
        case trace::Call::new_object:
        case trace::Call::delete_object: return CallFamily::object_operators;
        case trace::Call::new_array:
        case trace::Call::delete_array: return CallFamily::array_operators;
        case trace::Call::map:
        case trace::Call::unmap: return CallFamily::mappings;
        case trace::Call::malloc:
        case trace::Call::calloc:
        case trace::Call::realloc:
        case trace::Call::aligned:
        case trace::Call::free: break;
    }
    return CallFamily::c_functions;
}

}  // namespace heapwright::study
