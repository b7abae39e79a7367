"""Places of a placement plan, for heapwright's GDB commands: bump chunks, and which spans are of pools and heaps of the plan."""
import gdb

from heapwright_memory import SLICE_BYTES, SPACE, Record, read_word

# As in alloc/heap/detail/bump.hpp.
UNIT, HEADER, LIVE, FREED = 16, 8, 0x706D7542, 0x64656572


def weight(chunk):
    """(live blocks, bytes in them) of a bump chunk."""
    sum_of_all = (chunk.countdown + chunk.remote) & 0xFFFFFFFF
    return sum_of_all >> 16, (sum_of_all & 0xFFFF) * UNIT - (sum_of_all >> 16) * HEADER


def bump_blocks(chunk):
    """(start, bytes, whether it lives) of each block of a bump chunk, as far as headers go."""
    block = chunk.start + UNIT
    while block < chunk.start + SLICE_BYTES:
        header = read_word(block - HEADER)
        tag, units = header & 0xFFFFFFFF, header >> 32 & 0xFFFF
        if tag not in (LIVE, FREED) or units == 0:
            return
        yield block, units * UNIT - HEADER, tag == LIVE
        block += units * UNIT


def cores(heap):
    """The addresses of the cores of the plan's places."""
    count, places = heap.variable("g_place_count"), heap.variable("g_places")
    count = 0 if count is None else read_word(int(count.address)) & 0xFFFFFFFF
    offset = next((field.bitpos // 8 for field in gdb.lookup_type(SPACE + "Place").fields() if field.name == "core"), 0) if count else 0
    return {read_word(int(places.address) + 8 * (number + 1)) + offset for number in range(count)}


def is_of_place(heap, span, found):
    """Whether a private span belongs to one of the cores that were found; one whose thread is gone cannot be told."""
    return span.cache != 0 and bool(found) and Record(heap.cache, span.cache).heap_ in found
