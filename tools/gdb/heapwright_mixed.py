"""Mixed spans, in which blocks of any size lie, for heapwright's GDB commands: what their records' bits say."""
import gdb

from heapwright_memory import SLICE_BYTES, SPACE, Layout, read, read_word

# As in alloc/heap/detail/mixed_record.hpp.
GRANULE = 16
GRANULES = SLICE_BYTES // GRANULE


def record_of(heap, span):
    """(address of its record, places in it); address 0 where there is none."""
    table = heap.variable("g_mixed_table")
    table = 0 if table is None else read_word(int(table.address))
    region = next(heap.regions())
    record = 0 if table == 0 else read_word(table + 8 * ((span.start - region.base_) // SLICE_BYTES))
    return record, {} if record == 0 else Layout(gdb.lookup_type(SPACE + "MixedRecord")).places


def mixed_live(heap, span):
    """Blocks that live: of those that the span counts, some may be room already."""
    record, places = record_of(heap, span)
    return span.live - (0 if record == 0 else int.from_bytes(read(record + places["owed"], 4), "little"))


def bits_of(heap, span):
    """(used, last): a bit for each granule, whether a block has it, and whether it is the last of its block; (0, 0) where there is no record."""
    record, places = record_of(heap, span)
    if record == 0:
        return 0, 0
    return tuple(int.from_bytes(read(record + places[name], GRANULES // 8), "little") for name in ("used_", "last_"))


def mixed_bytes(heap, span):
    """Bytes of the blocks that live."""
    return bin(bits_of(heap, span)[0]).count("1") * GRANULE


def mixed_block(heap, span, address):
    """(start, bytes) of the block that lives there; None where none does."""
    used, last = bits_of(heap, span)
    granule = (address - span.start) // GRANULE
    if not used >> granule & 1:
        return None
    first = granule
    while first > 0 and used >> (first - 1) & 1 and not last >> (first - 1) & 1:
        first -= 1
    end = granule
    while end < GRANULES - 1 and not last >> end & 1:
        end += 1
    return span.start + first * GRANULE, (end - first + 1) * GRANULE
