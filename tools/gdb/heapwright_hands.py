"""Free blocks that a thread has at hand, for heapwright's GDB commands: what malloc takes from, and what is kept beside it."""
import gdb

from heapwright_memory import SLICE_BYTES, read_word

MOST_OF_LIST = 16384  # blocks: more than there can be


def blocks_of(heap, block):
    """The blocks of a list that begins here, of whatever spans. A damaged list ends."""
    steps = 0
    while block != 0 and steps < MOST_OF_LIST and heap.region_of(block) is not None:
        yield block
        steps += 1
        try:
            block = read_word(block)
        except gdb.MemoryError:
            return


def hands_of(cache):
    """(number of the class, address of the first block) of each list of blocks that a thread has at hand; in their spans they count as live."""
    whole = gdb.Value(cache.address).cast(gdb.lookup_type("heapwright::heap::ThreadCache").pointer())
    lists, hands = (whole[name]["_M_elems"] for name in ("lists_", "hands_"))
    for index in range(lists.type.strip_typedefs().range()[1] + 1):
        for first in (lists[index]["first"], lists[index]["old"], lists[index]["rest"], hands[index]["first"]):
            if int(first) != 0:
                yield index, int(first)


def bytes_of_class(index):
    """As bytes_of() in alloc/heap/size_class.hpp."""
    if index <= 8:
        return max(index * 16, 8)
    doubling, eighth = divmod(index - 9, 8)
    return (128 << doubling) + ((eighth + 1) << (doubling + 4))


def at_hand_by_slice(heap):
    """[blocks, bytes] that lie at hand in each slice, by its address."""
    sums = {}
    for core in heap.cores():
        for cache in heap.caches(core):
            for index, first in hands_of(cache):
                for block in blocks_of(heap, first):
                    of_slice = sums.setdefault(block - block % SLICE_BYTES, [0, 0])
                    of_slice[0] += 1
                    of_slice[1] += bytes_of_class(index)
    return sums


def at_hand(span, sums):
    """(blocks, bytes) of them in a span."""
    of_slices = [sums.get(span.place + slice * SLICE_BYTES, (0, 0)) for slice in range(max(span.slices, 1))]
    return sum(blocks for blocks, _ in of_slices), sum(in_them for _, in_them in of_slices)
