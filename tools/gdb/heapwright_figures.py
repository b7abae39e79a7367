"""The figures of the heap and of its spans, for heapwright's GDB commands."""
import gdb

from heapwright_hands import at_hand, at_hand_by_slice, blocks_of, bytes_of_class, hands_of
from heapwright_memory import FREE, LARGE, METADATA, NOBODY, PAGE_BYTES, SLICE_BYTES, STATES, read_word
from heapwright_mesh import Meshed
from heapwright_mixed import mixed_bytes, mixed_live
from heapwright_places import cores, is_of_place, weight


def unit_bytes(span):
    """`pages` of a span of blocks has a bit for each unit that was given back; blocks that reach into one are in no list."""
    return max(PAGE_BYTES, span.slices * SLICE_BYTES // 32)


def absent_units(span):
    """Their number. The other half of the word says of a span of one slice that it shares its memory."""
    return bin(span.pages & 0xFFFF if span.slices == 1 else span.pages).count("1")


def statistics(heap):
    """The figures of malloc_stats(), but for the peak, in its words and order; counted anew from the records."""
    sums = dict.fromkeys(("allocated_bytes", "active_bytes", "absent_bytes", "resident_bytes", "dirty_bytes", "retained_bytes", "metadata_bytes", "committed_bytes",
                          "reserved_bytes", "large_bytes", "large_blocks", "small_blocks", "spans", "threads", "given_back_bytes", "meshed", "shared_bytes"), 0)
    for region in heap.regions():
        sums["committed_bytes"] += (region.committed_ - region.first_) * SLICE_BYTES
        sums["reserved_bytes"] += region.bytes_
        sums["metadata_bytes"] += region.records_committed_bytes_
        sums["dirty_bytes"] += region.dirty_ * SLICE_BYTES
    places, meshed = cores(heap), Meshed(heap)
    for span in heap.spans():
        # Blocks of Heap objects are in those objects' accounts.
        is_large = span.owner == LARGE and span.cache == 0
        if is_large:
            sums["large_blocks"] += 1
            sums["large_bytes"] += span.pages * PAGE_BYTES
        elif span.is_bump:
            blocks, bytes_in_them = weight(span)
            sums["small_blocks"] += blocks
            sums["allocated_bytes"] += bytes_in_them
        elif span.is_of_blocks and (not span.is_private or is_of_place(heap, span, places)):
            held = mixed_live(heap, span) if span.is_mixed else span.live
            sums["small_blocks"] += held
            sums["allocated_bytes"] += (mixed_bytes(heap, span) if span.is_mixed else held * span.block_bytes)
            sums["absent_bytes"] += absent_units(span) * unit_bytes(span)
        else:
            continue
        sums["spans"] += 1
        sums["active_bytes"] += span.slices * SLICE_BYTES
    for cache in heap.caches(next(heap.cores())):
        sums["threads"] += 1 if cache.heap_ != 0 and cache.thread_ != NOBODY else 0
        sums["metadata_bytes"] += heap.cache.bytes
        for index, first in hands_of(cache):
            kept = sum(1 for _ in blocks_of(heap, first))
            sums["small_blocks"] -= kept
            sums["allocated_bytes"] -= kept * bytes_of_class(index)
    sums["allocated_bytes"] += sums["large_bytes"]
    sums["meshed"], sums["shared_bytes"] = meshed.spans_and_bytes()
    sums["resident_bytes"] = sums["active_bytes"] - sums["absent_bytes"] + sums["dirty_bytes"] + sums["metadata_bytes"] - sums["shared_bytes"]
    sums["retained_bytes"] = max(sums["committed_bytes"] - sums["active_bytes"] - sums["dirty_bytes"], 0)
    given_back = heap.variable("g_given_back")
    sums["given_back_bytes"] = 0 if given_back is None else read_word(int(given_back.address))
    return sums


def thread_names():
    """The threads that GDB knows, by their thread pointers."""
    chosen, frame, names = gdb.selected_thread(), gdb.selected_frame(), {}
    for thread in gdb.selected_inferior().threads():
        thread.switch()
        names[int(gdb.parse_and_eval("$fs_base"))] = f"thread {thread.num} (LWP {thread.ptid[1]})"
    chosen.switch()
    frame.select()
    return names


def owner_of(span, names):
    return names.get(span.thread, f"the thread at {span.thread:#x}") if span.thread != 0 else "nobody: abandoned, or shared under a lock"


def told(span, names):
    """One line about a span of blocks."""
    if span.is_mixed:
        return f"{span.start:#x}  {span.live:6} blocks of any size, mixed, {'of a Heap object, ' if span.is_private else ''}of {owner_of(span, names)}"
    return (f"{span.start:#x}  {span.live:6} of {span.capacity:6} handed out, {span.carved:6} carved, {STATES[span.state]:8}"
            f" {'of a Heap object, ' if span.is_private else ''}of {owner_of(span, names)}")


def by_class(heap):
    """A table of the classes, and what else lies in the slices."""
    kept = at_hand_by_slice(heap)
    classes, mixed, slices, runs = {}, [0, 0, 0], dict.fromkeys((FREE, LARGE, METADATA), 0), dict.fromkeys((FREE, LARGE, METADATA), 0)
    for span in heap.spans():
        blocks_kept, bytes_kept = at_hand(span, kept)
        if span.is_mixed:
            mixed = [mixed[0] + 1, mixed[1] + mixed_live(heap, span) - blocks_kept, mixed[2] + mixed_bytes(heap, span) - bytes_kept]
        elif span.is_of_blocks:
            sums = classes.setdefault(span.block_bytes, [0, 0, 0])
            for index, figure in enumerate((1, span.live - blocks_kept, span.capacity)):
                sums[index] += figure
        elif span.owner in slices:
            slices[span.owner] += max(span.slices, 1)
            runs[span.owner] += 1
    yield f"{'block bytes':>11} {'spans':>8} {'held':>11} {'capacity':>9} {'full':>5}"
    for bytes_each, (spans, held, capacity) in sorted(classes.items()):
        yield f"{bytes_each:11} {spans:8} {held:11} {capacity:9} {100 * held // max(capacity, 1):4}%"
    if mixed[0] != 0:
        yield f"mixed spans: {mixed[0]}, with {mixed[1]} blocks of {mixed[2]} bytes"
    if chunks := [weight(span) for span in heap.spans() if span.is_bump]:
        yield f"bump chunks: {len(chunks)}, with {sum(blocks for blocks, _ in chunks)} blocks of {sum(held for _, held in chunks)} bytes"
    for owner, name in ((LARGE, "large blocks"), (FREE, "free runs"), (METADATA, "of the heap's own")):
        yield f"{name}: {runs[owner]} in {slices[owner]} slices of 64 KiB"
