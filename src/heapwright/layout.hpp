// Front door: the size and alignment of a block, with arithmetic that cannot overflow unseen.
#pragma once

#include <heapwright/base/layout.hpp>  // IWYU pragma: export
