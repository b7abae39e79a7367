"""Spans that share their memory, for heapwright's GDB commands: which blocks of them are free, and what they do without."""
import gdb

from heapwright_memory import PAGE_BYTES, SLICE_BYTES, SPACE, Layout, Record, read_word

# As in alloc/heap/detail/span.hpp: of `pages` of a span of one slice.
MESHED_BIT = 1 << 31


class Meshed:
    """The records of meshed spans, by a table with one entry for each slice of the first region."""

    def __init__(self, heap):
        self.heap = heap
        self.record, self.group = (Layout(gdb.lookup_type(SPACE + name)) for name in ("MeshRecord", "MeshGroup"))
        self.first = int(heap.variable("g_region")["base_"])
        self.table = read_word(int(heap.variable("g_mesh_table").address))

    def record_of(self, span):
        """None where the span shares nothing and never did."""
        if span.slices != 1 or not span.is_of_blocks or not span.pages & MESHED_BIT:
            return None
        return Record(self.record, read_word(self.table + 8 * ((span.place - self.first) // SLICE_BYTES)))

    def is_free(self, record, number):
        """Whether the bit of that block is set: it is free, and in no list."""
        return read_word(record.address + self.record.bytes + number // 64 * 8) >> number % 64 & 1 == 1

    def spans_and_bytes(self):
        """Spans that share memory now, and how much they do without: their pages that held a block, less those of the files that they share."""
        spans, pages, groups = 0, 0, {}
        for record in filter(None, map(self.record_of, self.heap.spans())):
            spans += record.shared != 0
            pages += bin(record.held).count("1")
            first = record.layout.places["groups"]
            for at in range(first, first + 8 * (SLICE_BYTES // PAGE_BYTES), 8):
                address = int.from_bytes(record.data[at:at + 8], "little")
                if address != 0 and address not in groups:
                    groups[address] = Record(self.group, address).pages
        return spans, max(pages - sum(groups.values()), 0) * PAGE_BYTES
