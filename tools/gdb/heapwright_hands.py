"""Free blocks that a thread has at hand, for heapwright's GDB commands: what malloc takes from, and what is kept beside it."""
import gdb

from heapwright_memory import read_word

MOST_OF_SPAN = 8192  # blocks
MOST_KEPT = 256  # blocks of other spans in the list of a span that malloc takes from: more than there can be


def at_hand(heap, span):
    """The blocks that malloc takes from an active span; some may be of other spans of its class. A damaged list ends."""
    block, steps = span.free, 0
    while block != 0 and steps < span.capacity + MOST_KEPT:
        if not span.start <= block < span.start + span.carved * span.block_bytes and heap.region_of(block) is None:
            return
        yield block
        steps += 1
        try:
            block = read_word(block)
        except gdb.MemoryError:
            return


def hands_of(cache):
    """(address of the first block, number) of the blocks of each class that a thread keeps at hand."""
    hands = gdb.Value(cache.address).cast(gdb.lookup_type("heapwright::heap::ThreadCache").pointer())["hands_"]["_M_elems"]
    for index in range(hands.type.strip_typedefs().range()[1] + 1):
        if int(hands[index]["first"]) != 0:
            yield int(hands[index]["first"]), int(hands[index]["count"]["_M_i"])
        waiting = int(hands[index]["rest"]["_M_b"]["_M_p"])
        if waiting != 0:
            yield waiting, length(waiting)


def length(block):
    """The number of blocks in a list of one span's; a damaged list ends."""
    steps = 0
    while block != 0 and steps < MOST_OF_SPAN:
        steps += 1
        try:
            block = read_word(block)
        except gdb.MemoryError:
            break
    return steps
