"""GDB looks into heapwright's heap: `source heapwright_gdb.py`, then `help heapwright`. For live processes and core files."""
import os
import sys

import gdb
import gdb.printing

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import heapwright_figures as figures  # noqa: E402
from heapwright_block import about  # noqa: E402
from heapwright_memory import FREE, LARGE, METADATA, SLICE_BYTES, SPACE, STATES, Heap, Layout, Record  # noqa: E402
from heapwright_places import weight  # noqa: E402


class Heapwright(gdb.Command):
    """What heapwright's malloc holds: spans, blocks and figures."""

    def __init__(self):
        super().__init__("heapwright", gdb.COMMAND_DATA, prefix=True)


class Spans(gdb.Command):
    """heapwright spans [BYTES]: spans by the size of their blocks; with BYTES, each span whose blocks have that size.

    Handed out are blocks that the program holds and those that malloc has at hand for its thread."""

    def __init__(self):
        super().__init__("heapwright spans", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        heap = Heap()
        if not argument:
            print("\n".join(figures.by_class(heap)))
            return
        names, wanted = figures.thread_names(), int(gdb.parse_and_eval(argument))
        found = [figures.told(span, names) for span in heap.spans() if span.is_of_blocks and span.block_bytes == wanted]
        print("\n".join(found) if found else f"no span has blocks of {wanted} bytes; 'heapwright spans' lists the sizes")


class Block(gdb.Command):
    """heapwright block ADDRESS: the block that the address lies in, whether it is live, its span and the span's thread."""

    def __init__(self):
        super().__init__("heapwright block", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, from_tty):
        if not argument:
            raise gdb.GdbError("heapwright: no address: 'heapwright block' takes one; write 'heapwright block ADDRESS'")
        address = int(gdb.parse_and_eval(argument).cast(gdb.lookup_type("unsigned long")))
        print("\n".join(about(Heap(), address)))


class Statistics(gdb.Command):
    """heapwright statistics: the figures that malloc_stats() would write."""

    def __init__(self):
        super().__init__("heapwright statistics", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        for name, value in figures.statistics(Heap()).items():
            print(f"{name:18} {value}")


class SpanAt(gdb.Function):
    """$heapwright_span(ADDRESS): the record of the span that the address lies in; also in a core file."""

    def invoke(self, address):
        number = int(address.cast(gdb.lookup_type("unsigned long")))
        span = Heap().span_of(number)
        if span is None:
            raise gdb.GdbError(f"heapwright: {number:#x} lies outside the heap")
        return gdb.Value(span.address).cast(gdb.lookup_type(SPACE + "Span").pointer()).dereference()


class SpanPrinter:
    """Shows a heap::Span by what it is; `print /r` shows all of it."""

    def __init__(self, value):
        self.span = Record(Layout(value.type), int(value.address))

    def to_string(self):
        span = self.span
        if span.owner == FREE:
            return f"free run of {span.slices} slices"
        if span.owner == LARGE:
            return f"large block of {span.pages} pages at {span.start:#x}"
        if span.owner == METADATA:
            return f"metadata of {span.slices} slices at {span.start:#x}"
        if span.is_bump:
            return f"bump chunk at {span.start:#x} of place {span.pages}: {weight(span)[0]} live blocks"
        if not span.is_of_blocks:
            return "interior of a span"
        return f"span of blocks of {span.block_bytes} bytes at {span.start:#x}: {span.live} of {span.capacity} handed out, {STATES[span.state]}"


class RegionPrinter:
    """Shows a heap::Region by its figures; `print /r` shows all of it."""

    def __init__(self, value):
        self.region = Record(Layout(value.type), int(value.address))

    def to_string(self):
        region = self.region
        return (f"region at {region.base_:#x}: {region.bytes_ >> 20} MiB reserved, {(region.committed_ - region.first_) * SLICE_BYTES >> 10} KiB committed, "
                f"{(region.used_ - region.first_ - region.free_)} slices in spans, {region.free_} free, {region.dirty_} of them dirty")


def register():
    printers = gdb.printing.RegexpCollectionPrettyPrinter("heapwright")
    printers.add_printer("Span", "^heapwright::heap::Span$", SpanPrinter)
    printers.add_printer("Region", "^heapwright::heap::Region$", RegionPrinter)
    gdb.printing.register_pretty_printer(gdb.current_objfile(), printers, replace=True)
    for command in (Heapwright, Spans, Block, Statistics):
        command()
    SpanAt("heapwright_span")


register()
