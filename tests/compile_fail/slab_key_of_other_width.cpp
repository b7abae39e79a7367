// A key with 64-bit generations is no key of a slab that counts with 32: cutting it would bring dead objects to life.
// expect: SlabKey
#include <heapwright/slab.hpp>

#ifdef HEAPWRIGHT_CONTROL
using Key = heapwright::SlabKey;
#else
using Key = heapwright::WideSlabKey;
#endif
bool is_there(const heapwright::Slab<int>& slab, Key key) { return slab.contains(key); }
