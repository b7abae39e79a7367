"""Where an address stands in the heap, and whether its block is live, for heapwright's GDB commands."""
import gdb

from heapwright_figures import thread_names, told, unit_bytes
from heapwright_hands import hands_of
from heapwright_memory import FREE, LARGE, PAGE_BYTES, WANTS_NOTICE, Record, read_word
from heapwright_mesh import Meshed
from heapwright_mixed import mixed_block
from heapwright_places import bump_blocks, weight

MOST_ON_THE_WAY = 1000000  # blocks of one list


def lists_of(span):
    """(address of the first block, what it means to be in the list) for each list of the span's blocks."""
    yield span.local_free, "free: released by its owner"
    yield span.remote & ~WANTS_NOTICE, "free: released by another thread, and not yet taken home"


def lists_on_the_way(heap):
    """The same for the lists that hold blocks of any span: kept at hand, or on their way home."""
    state, whole = (gdb.lookup_type(f"heapwright::heap::{name}").pointer() for name in ("ThreadState", "ThreadCache"))
    for core in heap.cores():
        for cache in heap.caches(core):
            for _, first in hands_of(cache):
                yield first, "free: at hand for the next malloc"
    for cache in heap.caches(next(heap.cores())):
        yield int(gdb.Value(cache.address).cast(whole)["mail"]["first_"]["_M_b"]["_M_p"]), "free: released by another thread, in whose owner's mailbox it lies"
        if cache.direct_ != 0:  # the first member of the thread's state
            entries = gdb.Value(cache.direct_).cast(state)["outbox"]["entries_"]["_M_elems"]
            for index in range(entries.type.strip_typedefs().range()[1] + 1):
                if int(entries[index]["cache"]) != 0:
                    yield int(entries[index]["first"]), "free: released by another thread, in whose outbox it waits"


def is_on_the_way(block, first):
    """Whether the list that begins at `first` holds the block; a list that nobody can follow ends."""
    steps = 0
    while first != 0 and steps < MOST_ON_THE_WAY:
        if first == block:
            return True
        steps += 1
        try:
            first = read_word(first)
        except gdb.MemoryError:
            return False
    return False


def state_of_block(heap, span, block):
    """Live, or which list holds it; blocks of a damaged list are not believed."""
    if block >= span.start + span.carved * span.block_bytes:
        return "never was a block yet"
    meshed = Meshed(heap)
    record = meshed.record_of(span)
    if record is not None and meshed.is_free(record, (block - span.start) // span.block_bytes):
        return "free: its span shares its memory with others, and a bit tells of it"
    first, last = ((at - span.start) // unit_bytes(span) for at in (block, block + span.block_bytes - 1))
    if any(span.pages >> unit & 1 for unit in range(first, last + 1)) and record is None:
        return "free: in pages that were given back"
    for first, meaning in lists_of(span):
        steps = 0
        while first != 0:
            if first == block:
                return meaning
            steps += 1
            if not span.start <= first < span.start + span.carved * span.block_bytes or steps > span.capacity:
                return f"not known: a list of its span is damaged at {first:#x}; look for a write into a free block"
            first = read_word(first)
    return next((meaning for first, meaning in lists_on_the_way(heap) if is_on_the_way(block, first)), "live")


def about_mixed(heap, span, address):
    found = mixed_block(heap, span, address)
    if found is None:
        yield f"{address:#x} lies in no block of its mixed span"
    else:
        yield f"{address:#x} lies in a block of {found[1]} bytes from {found[0]:#x}, at {address - found[0]}"
        lists = [*lists_of(span), *lists_on_the_way(heap)]
        yield next((meaning for first, meaning in lists if is_on_the_way(found[0], first)), "live")
    yield "span " + told(span, thread_names())


def about(heap, address):
    """What lies at an address."""
    span = heap.span_of(address)
    if span is None:
        yield f"{address:#x} lies outside the heap"
    elif span.owner == FREE:
        yield f"{address:#x} lies in free memory: {span.slices} slices of 64 KiB from {span.place:#x}"
    elif span.owner == LARGE:
        count = span.pages * PAGE_BYTES
        where = "in" if address < span.start + count else "behind"
        yield f"{address:#x} lies {where} a block of {count} bytes from {span.start:#x}, at {address - span.start}"
        yield "live: a block with a span of its own"
    elif span.is_bump:
        found = next(((block, count, lives) for block, count, lives in bump_blocks(span) if block <= address < block + count), None)
        if found is None:
            yield f"{address:#x} lies in no block of its bump chunk"
        else:
            yield f"{address:#x} lies in a block of {found[1]} bytes from {found[0]:#x}, at {address - found[0]}"
            yield "live" if found[2] else "free: its chunk is used again when all of its blocks are"
        yield f"bump chunk {span.start:#x} of place {span.pages}: {weight(span)[0]} live blocks"
    elif not span.is_of_blocks:
        yield f"{address:#x} lies in memory of the heap's own"
    elif span.is_mixed:
        yield from about_mixed(heap, span, address)
    else:
        number = (address - span.start) // span.block_bytes
        if number < span.capacity:
            block = span.start + number * span.block_bytes
            yield f"{address:#x} lies in a block of {span.block_bytes} bytes from {block:#x}, at {address - block}"
            yield state_of_block(heap, span, block)
        else:
            yield f"{address:#x} lies behind the last block of its span"
        yield "span " + told(span, thread_names())
        if span.is_private and span.cache != 0:
            yield f"heap {Record(heap.core, Record(heap.cache, span.cache).heap_).id_}, a Heap object"
