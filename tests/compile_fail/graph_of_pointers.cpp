// Algorithms ask for nodes that are numbers.
// expect: constraint
#include <vector>

#include <heapwright/graph.hpp>

#ifdef HEAPWRIGHT_CONTROL
using Rows = std::vector<std::vector<unsigned>>;
#else
using Rows = std::vector<std::vector<const char*>>;
#endif
bool reaches(const Rows& rows) { return heapwright::graph::levels_from(rows, 0, heapwright::os::kPages).has_value(); }
