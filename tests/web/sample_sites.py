"""The invented program's call stacks and sites."""
import math

PAGE_BYTES = 4096
WEIGHTS = ["peak", "leaked", "allocated", "allocations", "temporary", "pinned_free_peak", "pinned_free_end"]
MODULES = ["inventoryd", "libstdc++.so.6", "libc.so.6", "libsqlite3.so.0", "libssl.so.3", "libprotobuf.so.32"]
SPACES = ["net", "store", "index", "rpc", "cache", "query", "json", "util"]
NOUNS = ["Session", "Record", "Shard", "Posting", "Cursor", "Planner", "Router", "Batch", "Table", "Node", "Parser",
         "Ledger", "Snapshot", "Segment", "Token", "Request", "Codec", "Blob"]
VERBS = ["open", "insert", "parse", "merge", "flush", "resolve", "append", "rebuild", "handle", "decode", "grow",
         "lookup", "commit", "split", "intern", "render", "scan", "load"]
RUNTIME = [
    ("operator new(unsigned long)", 1),
    ("std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >::_M_create(unsigned long&, unsigned long)", 1),
    ("void std::vector<store::Record, std::allocator<store::Record> >::_M_realloc_insert<store::Record>(__gnu_cxx::__normal_iterator<store::Record*, std::vector<store::Record, std::allocator<store::Record> > >, store::Record&&)", 0),
    ("malloc", 2), ("calloc", 2), ("realloc", 2),
]


def make_frames(rng):
    frames = [{"function": name, "module": module, "runtime": True} for name, module in RUNTIME]
    for noun in NOUNS:
        for verb in rng.sample(VERBS, 9):
            space = rng.choice(SPACES)
            module = rng.choices(range(len(MODULES)), [12, 0, 0, 3, 1, 2])[0]
            frame = {"function": f"{space}::{noun}::{verb}({rng.choice(['', 'unsigned long', 'std::string_view', 'std::vector<int, std::allocator<int> > const&'])})",
                     "module": module}
            if rng.random() < 0.85:
                frame["file"] = f"/src/inventoryd/{space}/{noun.lower()}.cpp"
                frame["line"] = rng.randint(20, 900)
            if rng.random() < 0.15:
                frame["inlined"] = True
            frames.append(frame)
    frames.append({"function": "main", "module": 0, "file": "/src/inventoryd/main.cpp", "line": 41})
    frames.append({"function": "__libc_start_main", "module": 2, "runtime": True})
    frames.append({"function": "_start", "module": 0, "runtime": True})
    return frames


def sparse(values):
    return [number for pair in sorted(values.items()) for number in pair if pair[1]]


def bell(rng, middle, spread, blocks):
    """Spreads `blocks` over buckets around `middle`."""
    buckets = {}
    for _ in range(12):
        bucket = max(0, min(46, round(rng.gauss(middle, spread))))
        buckets[bucket] = buckets.get(bucket, 0) + blocks // 12
    buckets[max(0, round(middle))] = buckets.get(max(0, round(middle)), 0) + blocks % 12
    return buckets


def make_site(rng, number, frames_of_stack, scale):
    allocations = max(1, int(rng.paretovariate(0.7) * scale))
    allocations = min(allocations, 9_000_000)
    size = rng.choice([16, 24, 32, 48, 64, 96, 120, 160, 256, 512, 1032, 4096, 20000])
    lifetime = rng.uniform(8, 33)
    allocated = allocations * size
    live = int(allocations * rng.choice([0, 0, 0.002, 0.03, 0.2, 0.6]))
    leaked = int(live * rng.choice([0, 0, 0, 0, 0.1, 1]))
    pinned = int(live * size * rng.choice([0, 0, 0.3, 2.5])) // PAGE_BYTES * PAGE_BYTES
    pinned_free = int(pinned * rng.uniform(0.2, 0.95))
    temporary = int(allocations * rng.choice([0, 0, 0.1, 0.9]))
    reallocs = int(allocations * rng.choice([0, 0, 0, 0.4, 2]))
    usable = (size + 8 + 15) // 16 * 16
    freed = allocations - leaked
    return {
        "id": number, "frames": frames_of_stack,
        "calls": {rng.choice(["malloc", "new_object", "new_array", "calloc"]): allocations},
        "allocations": allocations, "allocated_bytes": allocated, "allocated_usable_bytes": allocations * usable,
        "live_at_peak": {"blocks": live, "requested_bytes": live * size, "usable_bytes": live * usable},
        "leaked": {"blocks": leaked, "requested_bytes": leaked * size, "usable_bytes": leaked * usable},
        "peak_bytes": int(live * size * rng.uniform(1, 1.6)), "temporary": temporary,
        "short_lived": int(allocations * rng.random()), "same_frame": int(temporary * rng.random()),
        "cross_thread_frees": int(allocations * rng.choice([0, 0, 0, 0.5])),
        "reallocs": reallocs, "realloc_copied_bytes": reallocs * size // 2,
        "realloc_chain_max": rng.randint(2, 40) if reallocs else 0, "realloc_chains": reallocs // 9,
        "over_aligned": int(allocations * rng.choice([0, 0, 0, 0, 0, 1])),
        "min_size": size, "max_size": size if rng.random() < 0.6 else size * rng.randint(2, 40),
        "lifetime_ns_total": int(freed * 2 ** lifetime), "lifetime_ns_max": int(2 ** (lifetime + 3)),
        "first_ns": rng.randrange(10**9), "last_ns": rng.randrange(10**9, 40 * 10**9), "threads": rng.randint(1, 12),
        "pinned_bytes_at_peak": pinned, "pinned_bytes_at_end": pinned // 2,
        "pinned_free_bytes_at_peak": pinned_free, "pinned_free_bytes_at_end": pinned_free // 2,
        "lifetimes": sparse(bell(rng, lifetime, 2, freed)), "sizes": sparse({int(math.log2(size)): allocations}),
    }


def weights_of(site):
    return [site["live_at_peak"]["requested_bytes"], site["leaked"]["requested_bytes"], site["allocated_bytes"], site["allocations"],
            site["temporary"], site["pinned_free_bytes_at_peak"], site["pinned_free_bytes_at_end"]]


class Stacks:
    """A call tree grown at random, and the sites at its leaves."""

    def __init__(self, rng, frames, nodes):
        first = len(RUNTIME)
        last = len(frames) - 3
        self.parent, self.frame = [-1, 0, 1, 2], [-1, last + 2, last + 1, last]
        depth = [0, 1, 2, 3]
        known = set()
        while len(self.parent) < nodes:
            above = 3 if rng.random() < 0.02 else rng.randrange(max(3, len(self.parent) - 400), len(self.parent))
            frame = rng.randrange(first, last)
            if depth[above] > 24 or (above, frame) in known:
                continue
            known.add((above, frame))
            self.parent.append(above)
            self.frame.append(frame)
            depth.append(depth[above] + 1)
        inner = set(self.parent)
        self.leaves = [node for node in range(4, len(self.parent)) if node not in inner]

    def path(self, node):
        frames = []
        while node > 0:
            frames.append(self.frame[node])
            node = self.parent[node]
        return frames

    def add(self, above, frame):
        self.parent.append(above)
        self.frame.append(frame)
        return len(self.parent) - 1


def tree_of(stacks, sites_at, sides):
    columns = {}
    for name, sites in sides.items():
        values = [[0] * len(stacks.parent) for _ in WEIGHTS]
        for node, site in zip(sites_at, sites):
            for column, value in zip(values, weights_of(site)):
                at = node
                while at >= 0:
                    column[at] += value
                    at = stacks.parent[at]
        columns[name] = dict(zip(WEIGHTS, values))
    return {"parent": stacks.parent, "frame": stacks.frame, "nodes_omitted": 3120, **columns}


def totals_of(sites, duration, peak_time, peak):
    sum_of = lambda name: sum(site[name] for site in sites)
    leaked = {name: sum(site["leaked"][name] for site in sites) for name in ("blocks", "requested_bytes", "usable_bytes")}
    allocations = sum_of("allocations")
    return {
        "events": allocations * 2, "allocations": allocations, "frees": allocations - leaked["blocks"], "reallocs": sum_of("reallocs"), "failed": 0,
        "allocated_bytes": sum_of("allocated_bytes"), "temporary": sum_of("temporary"), "cross_thread_frees": sum_of("cross_thread_frees"),
        "over_aligned": sum_of("over_aligned"), "unknown_frees": 12, "inherited_frees": 0, "mismatched": 0, "duration_ns": duration, "cpu_ns": int(duration * 1.7),
        "peak_requested": peak, "peak_usable": int(peak * 1.07), "peak_time_ns": peak_time, "peak_resident": int(peak * 1.98), "minor_faults": 61_422, "major_faults": 3,
        "leaked": leaked,
    }
