"""Reads heapwright's heap out of a process or a core file, by the types in the debug information of libheapwright.so."""
import os

import gdb

# As in alloc/heap/size_class.hpp and detail/span.hpp; the test compares them.
SLICE_BYTES = 64 << 10
FREE, ABANDONED, ASK_BIT, HAND_BITS, INTERIOR, LARGE, METADATA, NOBODY = 0, 6, 2, 3, 2, 4, 8, 10
BUMP = 12  # all of its bits: a chunk of a bump place, whose blocks have headers
WANTS_NOTICE = 1
STATES = ("active", "carving", "full", "dense", "airy", "leaving", "mixed")
PAGE_BYTES = 4096
SPACE = "heapwright::heap::"


def read(address, count):
    return gdb.selected_inferior().read_memory(address, count).tobytes()


def read_word(address):
    return int.from_bytes(read(address, 8), "little")


class Layout:
    """Where the words of a type lie; an atomic word lies where a plain one would."""

    def __init__(self, described):
        self.bytes = described.sizeof
        self.words = {field.name: (field.bitpos // 8, field.type.sizeof) for field in described.fields()
                      if hasattr(field, "bitpos") and field.name and field.type.sizeof <= 8}
        self.places = {field.name: field.bitpos // 8 for field in described.fields() if hasattr(field, "bitpos")}


class Record:
    """One object: its words are attributes, its address is `address`."""

    def __init__(self, layout, address, data=None):
        self.layout, self.address = layout, address
        self.data = read(address, layout.bytes) if data is None else data

    def __getattr__(self, name):
        if name not in self.layout.words:
            raise AttributeError(name)
        at, size = self.layout.words[name]
        return int.from_bytes(self.data[at:at + size], "little")

    @property
    def live(self):
        """What malloc handed out, with the blocks that it has at hand."""
        return self.countdown + self.floor if self.is_mixed else min(self.countdown + self.floor, self.capacity)

    @property
    def thread(self):
        return 0 if self.owner in (ABANDONED, NOBODY) else self.owner & ~15

    @property
    def is_of_blocks(self):
        return self.owner not in (FREE, INTERIOR, LARGE, METADATA) and not self.is_bump

    is_mixed = property(lambda self: self.is_of_blocks and STATES[self.state] == "mixed")  # detail/mixed_record.hpp
    is_bump = property(lambda self: self.owner & BUMP == BUMP)


class Heap:
    """The heap of the program: that of libheapwright.so, or else of a program that links heapwright."""

    def __init__(self):
        files = sorted(gdb.objfiles(), key=lambda file: not os.path.basename(file.filename or "").startswith("libheapwright"))
        self.file = next((file for file in files if file.lookup_global_symbol(SPACE + "g_region")), None)
        if self.file is None:
            raise gdb.GdbError("heapwright: no heap: no file of this program has the debug information of heapwright's heap; "
                               "preload libheapwright.so, not stripped, and stop after the program's start")
        self.span, self.region, self.cache, self.core = (Layout(gdb.lookup_type(SPACE + name)) for name in ("Span", "Region", "ThreadCache", "HeapCore"))

    def variable(self, name):
        found = self.file.lookup_global_symbol(SPACE + name)
        return None if found is None else found.value()

    def chain(self, layout, address, link="next"):
        while address != 0:
            record = Record(layout, address)
            yield record
            address = getattr(record, link)

    def regions(self):
        return (region for region in self.chain(self.region, int(self.variable("g_region").address)) if region.base_ != 0)

    def cores(self):
        return self.chain(self.core, int(self.variable("g_default_core").address))

    def caches(self, core):
        return self.chain(self.cache, core.caches_)

    def spans_of(self, region):
        """Spans and free runs, in the order of their addresses."""
        size = self.span.bytes
        table = read(region.base_ + region.first_ * size, (region.used_ - region.first_) * size)
        index = 0
        while index * size < len(table):
            span = Record(self.span, region.base_ + (region.first_ + index) * size, table[index * size:(index + 1) * size])
            span.place = region.base_ + (region.first_ + index) * SLICE_BYTES
            yield span
            index += max(span.slices, 1)

    def spans(self):
        return (span for region in self.regions() for span in self.spans_of(region))

    def region_of(self, address):
        return next((region for region in self.regions() if region.base_ <= address < region.base_ + region.bytes_), None)

    def span_of(self, address):
        """The span or free run that the address lies in; None outside of the heap's slices."""
        if (region := self.region_of(address)) is None:
            return None
        return next((span for span in self.spans_of(region) if span.place <= address < span.place + max(span.slices, 1) * SLICE_BYTES), None)
