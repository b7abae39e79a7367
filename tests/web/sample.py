"""Makes reports of an invented program, as large and as odd as the page's tests need, and puts them into the page.

Usage: sample.py PAGE OUTPUT [--kind report|diff|small|hostile] [--nodes N] [--seed N]
"""
import argparse
import base64
import gzip
import html
import json
import math
import random
import sys

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
                frame["file"] = f"/home/build/inventoryd/{space}/{noun.lower()}.cpp"
                frame["line"] = rng.randint(20, 900)
            if rng.random() < 0.15:
                frame["inlined"] = True
            frames.append(frame)
    frames.append({"function": "main", "module": 0, "file": "/home/build/inventoryd/main.cpp", "line": 41})
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


def make_timeline(rng, points, duration, peak):
    names = ["time_ns", "live_requested", "live_usable", "live_blocks", "occupied_page_bytes", "resident_bytes", "file_bytes",
             "allocations", "frees", "fragmentation"]
    columns = {name: [] for name in names}
    occupied = 0.0
    for at in range(points):
        share = at / points
        load = 0.12 + 0.6 * math.sin(min(1, share * 1.6) * math.pi / 2) * (0.55 + 0.45 * (share < 0.68)) + 0.06 * math.sin(share * 55)
        load = max(0.02, load + rng.gauss(0, 0.008))
        requested = int(peak * load / 0.78)
        usable = int(requested * 1.07)
        occupied = max(usable * 1.08, occupied * 0.9985)
        columns["time_ns"].append(int(duration * (at + 1) / points))
        columns["live_requested"].append(requested)
        columns["live_usable"].append(usable)
        columns["live_blocks"].append(requested // 140)
        columns["occupied_page_bytes"].append(int(occupied))
        columns["resident_bytes"].append(0 if at % 5 else int(occupied * 1.13 + 14e6))
        columns["file_bytes"].append(9 << 20)
        columns["allocations"].append(int(90_000 * (0.6 + 0.4 * math.sin(share * 40) + rng.random() * 0.2)))
        columns["frees"].append(int(88_000 * (0.6 + 0.4 * math.sin(share * 40 + 0.4) + rng.random() * 0.2)))
        columns["fragmentation"].append(round(1 - usable / occupied, 5))
    return columns


def make_maps(rng, count, cells, duration, peak_ns):
    """Fills a heap region from the left, then frees most of it here and there; plus some mapped regions."""
    per_map = max(64, cells // count)
    main = [0] * per_map
    maps = []
    spot = [0x7F3A_2000_0000 + index * 0x900_0000 for index in range(14)]
    regions = [[begin, [0] * rng.randint(20, 700)] for begin in spot]
    for moment in range(count):
        filled = int(per_map * min(1, 0.3 + 0.75 * moment / count))
        for cell in range(filled):
            old = main[cell]
            if old == 0 and rng.random() < 0.9:
                main[cell] = 255
            elif moment > count * 0.45 and rng.random() < 0.18:
                main[cell] = max(0, int(old * rng.uniform(0, 0.6)) if rng.random() < 0.8 else 0)
            elif rng.random() < 0.04:
                main[cell] = rng.randint(1, 255)
        runs = [{"begin": 0x5581_4C20_0000, "cell_bytes": PAGE_BYTES, "cells": per_map, "occupancy": base64.b64encode(bytes(main)).decode()}]
        for begin, values in regions:
            for cell in range(len(values)):
                if rng.random() < 0.15:
                    values[cell] = rng.choice([0, 40, 200, 255, 255])
            if rng.random() < 0.85:
                runs.append({"begin": begin, "cell_bytes": PAGE_BYTES, "cells": len(values), "occupancy": base64.b64encode(bytes(values)).decode()})
        time_ns = int(duration * (moment + 1) / count)
        maps.append({"label": f"{time_ns / 1e9:.2f} s", "time_ns": time_ns, "runs": runs})
    if count >= 2:
        nearest = min(range(count - 1), key=lambda index: abs(maps[index]["time_ns"] - peak_ns))
        maps[nearest].update(label="peak", time_ns=peak_ns)
        maps[-1]["label"] = "end"
        maps = [maps[nearest], maps[-1]] + [entry for index, entry in enumerate(maps[:-1]) if index != nearest]
    return maps


def fragmentation(time_ns, requested, blocks, waste):
    usable = int(requested * 1.07)
    external = int(usable * waste)
    retained = int(usable * waste * 0.35)
    pages = (usable + external) // PAGE_BYTES
    return {
        "time_ns": time_ns, "live_requested": requested, "live_usable": usable, "live_blocks": blocks, "occupied_pages": pages,
        "internal_bytes": usable - requested, "external_bytes": external, "largest_free_run": external // 60,
        "internal_ratio": (usable - requested) / usable, "external_ratio": external / (pages * PAGE_BYTES),
        "resident_bytes": usable + external + retained + (13 << 20), "retained_bytes": retained, "non_heap_bytes": 13 << 20,
        "occupancy": [pages // 30] * 10 + [pages * 2 // 3],
    }


SUGGESTIONS = [
    ("allocator", "Run with mimalloc", "Other allocators place these blocks more densely.", "LD_PRELOAD=libmimalloc.so.2 inventoryd --serve", "proved",
     "Three runs each: peak RSS 141 MiB against 208 MiB with glibc (−32 %), time within noise.", 67 << 20, 0.0),
    ("pool_at_site", "Give store::Record its own pool", "412 000 blocks of 48 bytes live side by side with short-lived strings and keep their pages resident.",
     "heapwright::Pool<store::Record> records{heapwright::PoolOptions{.slots = 500'000}};\nstore::Record* record = records.construct(key, value);", "proved",
     "Replayed with a pool at this site: peak RSS 171 MiB against 208 MiB (−18 %).", 37 << 20, 0.4),
    ("setting", "Limit glibc to two arenas", "Eleven threads allocate; each of their arenas keeps its own free pages.", "MALLOC_ARENA_MAX=2 inventoryd --serve", "refuted",
     "Peak RSS 203 MiB against 208 MiB: the runs overlap, the difference is noise.", 21 << 20, 0.0),
    ("reserve_at_site", "Reserve the final size in query::Planner::append", "One vector is resized 38 times and copies 96 MiB.", "plan.reserve(expected_rows);", "not_tried", "", 0, 1.7),
    ("trim", "Give memory back after the load phase", "After 27 s the heap needs a third of what it keeps.", "malloc_trim(0);  // after store::Snapshot::load", "not_tried", "", 44 << 20, 0.0),
]


def make_suggestions(sites):
    ranked = sorted(sites, key=lambda site: -site["pinned_free_bytes_at_peak"])
    result = []
    for number, (kind, title, what, how, verdict, proof, gain, seconds) in enumerate(SUGGESTIONS):
        site = ranked[number]
        chosen = [site["id"]] if "at_site" in kind else []
        result.append({
            "rule": kind.replace("_", "-"), "title": title, **({"site": site["id"]} if chosen else {}),
            "where": "store::Record::insert, /home/build/inventoryd/store/record.cpp:118" if chosen else "",
            "evidence": [{"name": "blocks", "value": 412_000, "unit": ""}, {"name": "pinned free", "value": gain, "unit": "bytes"},
                         {"name": "mean lifetime", "value": 8.1e9, "unit": "ns"}, {"name": "of RSS", "value": 0.18, "unit": "ratio"}],
            "what": what, "how": how, "expected_bytes": gain, "expected_seconds": seconds,
            "experiment": {"id": f"A{number + 1}-{kind.replace('_', '-')}", "kind": kind, "target": "mimalloc", "sites": chosen},
            "verdict": verdict, "proof": proof})
    return result


def make_comparison(rng):
    trials = []
    base = None
    for label, factor in [("glibc", 1.0), ("glibc:arena_max=2", 0.976), ("mimalloc", 0.68), ("jemalloc", 0.74), ("tcmalloc", 0.81), ("pool at store::Record", 0.82)]:
        medians = {"peak_rss_bytes": 208e6 * factor, "retained_bytes": 121e6 * factor ** 2, "wall_ns": 4.1e9 * rng.uniform(0.9, 1.05), "cpu_ns": 7.9e9 * rng.uniform(0.9, 1.02),
                   "minor_faults": 61_000 * factor, "major_faults": 0, "voluntary_switches": 900 * rng.random(), "involuntary_switches": 300 * rng.random()}
        base = base or medians
        metrics = {name: {"median": int(value), "min": int(value * 0.985), "max": int(value * 1.02), "difference": int(value) - int(base[name]),
                          "real": medians is not base and abs(value - base[name]) > 0.04 * base[name]} for name, value in medians.items()}
        progress = [index / 240 for index in range(241)]
        curve = [int(208e6 * factor * (0.1 + 0.9 * math.sin(min(1, share * 1.5) * math.pi / 2) * (1 - 0.3 * max(0, share - 0.7) * (2 - factor)))) for share in progress]
        trial = {"label": label, "runs": 3, "metrics": metrics, "curve": {"progress": progress, "rss_bytes": curve}}
        if "=" in label:
            trial["environment"] = {"MALLOC_ARENA_MAX": "2"}
        if label.startswith("pool"):
            trial["experiment"] = "A2-pool-at-site"
        trials.append(trial)
    trials.append({"label": "./my-allocator.so", "runs": 0, "metrics": {}, "failure": "the trial's process died by signal 11 after 31 % of the events"})
    return {"baseline": 0, "trials": trials}


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


def changed(rng, site):
    other = json.loads(json.dumps(site))
    factor = rng.choice([1, 1, 0.4, 1.7, 0])
    for name, value in site.items():
        if name in ("id", "frames", "lifetimes", "sizes", "min_size", "max_size"):
            continue
        if isinstance(value, dict):
            other[name] = {key: int(number * factor) for key, number in value.items()}
        else:
            other[name] = int(value * factor)
    return {name: value for name, value in other.items() if name not in ("id", "frames")}


def make_report(kind="report", nodes=20_000, seed=7):
    rng = random.Random(seed)
    small = kind == "small"
    nodes = 60 if small else nodes
    frames = make_frames(rng)
    stacks = Stacks(rng, frames, int(nodes * 0.7))
    sites, at = [], []
    for leaf in stacks.leaves:
        runtime = rng.randrange(len(RUNTIME))
        node = stacks.add(leaf, runtime)
        at.append(node)
        sites.append(make_site(rng, len(sites), stacks.path(node), 40 if small else 400))
    duration = 41_300_000_000
    peak = sum(site["live_at_peak"]["requested_bytes"] for site in sites)
    timeline = make_timeline(rng, 40 if small else 1000, duration, peak)
    top = max(range(len(timeline["time_ns"])), key=lambda index: timeline["live_requested"][index])
    peak_time = timeline["time_ns"][top]
    before = [changed(rng, site) for site in sites] if kind == "diff" else None
    if before:
        for site, old in zip(sites, before):
            site["before"] = old
    shown = sorted(sites, key=lambda site: -site["live_at_peak"]["requested_bytes"])[:2000]
    by_lifetime = [[0] * 48 for _ in range(48)]
    for site in sites:
        for bucket, blocks in zip(site["lifetimes"][::2], site["lifetimes"][1::2]):
            by_lifetime[bucket][site["sizes"][0] if site["sizes"] else 0] += blocks
    sizes = {}
    for site in sites:
        size = site["min_size"] + (site["id"] % 70) * 8
        row = sizes.setdefault(size, {"size": size, "usable": (size + 23) // 16 * 16, "allocations": 0, "live_at_peak": {"blocks": 0, "requested_bytes": 0, "usable_bytes": 0},
                                      "leaked": {"blocks": 0, "requested_bytes": 0, "usable_bytes": 0}})
        row["allocations"] += site["allocations"]
        for part in ("live_at_peak", "leaked"):
            for name in row[part]:
                row[part][name] += site[part][name]
    for row in sizes.values():
        if before:
            row["before"] = {"allocations": int(row["allocations"] * 1.2), "live_at_peak": row["live_at_peak"], "leaked": row["leaked"]}
    blocks = sum(site["live_at_peak"]["blocks"] for site in sites)
    report = {
        "schema": 1, "kind": "diff" if before else "report", "title": "inventoryd", "generator": "heapwright 0.1.0",
        "provenance": {"program": "/usr/local/bin/inventoryd", "arguments": "--serve --data /var/lib/inventory --threads 12", "allocator": "glibc 2.36", "kernel": "Linux 6.1.0",
                       "thp": "madvise", "cores": "12 cores", "stack_mode": "full, depth 32", "pid": "4711"},
        "health": {"complete": True, "file_bytes": 187_654_321, "used_bytes": 187_654_321, "dropped_events": 0, "sample_interval_bytes": 0, "note": ""},
        "totals": totals_of(sites, duration, peak_time, peak),
        "frames": frames, "modules": MODULES, "sites": shown, "sites_omitted": len(sites) - len(shown),
        "tree": tree_of(stacks, at, {"values": sites, **({"values_before": before} if before else {})}),
        "sizes": sorted(sizes.values(), key=lambda row: -row["allocations"])[:1000], "sizes_omitted": 41,
        "threads": [{"index": number + 1, "tid": 4711 + number, "name": "inventoryd" if number == 0 else f"worker-{number}", "allocations": rng.randrange(10**6),
                     "allocated_bytes": rng.randrange(10**9), "frees": rng.randrange(10**6), "cross_thread_frees": rng.randrange(10**5), "live_bytes_at_peak": rng.randrange(10**7)}
                    for number in range(2 if small else 13)],
        "timeline": timeline,
        "maps": make_maps(rng, 3 if small else 24, 3000 if small else 1_000_000, duration, peak_time),
        "at_peak": fragmentation(peak_time, peak, blocks, 0.45),
        "at_end": fragmentation(duration, int(peak * 0.42), int(blocks * 0.42), 1.35),
        "lifetimes": [sum(row) for row in by_lifetime], "lifetime_bytes": [sum(row) * 90 for row in by_lifetime], "lifetime_by_size": by_lifetime,
    }
    if not small:
        report["suggestions"] = make_suggestions(shown)
        report["comparison"] = make_comparison(rng)
    if before:
        del report["comparison"], report["suggestions"]
        old_peak = sum(site["live_at_peak"]["requested_bytes"] for site in before)
        report["title"] = "inventoryd: build 812 against build 809"
        report["before"] = {
            "title": "build 809", "provenance": {**report["provenance"], "allocator": "glibc 2.31"}, "health": report["health"], "totals": totals_of(before, duration, peak_time, old_peak),
            "timeline": make_timeline(rng, 900, int(duration * 1.1), old_peak), "at_peak": fragmentation(peak_time, old_peak, blocks, 0.6), "at_end": fragmentation(duration, old_peak // 2, blocks // 2, 0.9),
            "lifetimes": report["lifetimes"], "lifetime_bytes": report["lifetime_bytes"]}
    if kind == "hostile":
        make_hostile(report)
    return report


def make_hostile(report):
    """Names that would break a page that trusts them."""
    evil = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    report["title"] = evil
    report["provenance"]["program"] = evil
    report["health"].update(complete=False, note=evil, dropped_events=3)
    for number, frame in enumerate(report["frames"]):
        frame["function"] = [evil, "ns::f<" * 60 + "int" + ">" * 60 + "::g(", "\u202e\u0000漢字 operator<< <char>", "operator->(", "", "x" * 5000][number % 6]
    report["modules"][0] = evil
    for thread in report["threads"]:
        thread["name"] = evil
    for suggestion in report["suggestions"]:
        suggestion["title"] = suggestion["how"] = suggestion["where"] = evil
    for trial in report["comparison"]["trials"]:
        trial["label"] = evil


def packed(report):
    return base64.b64encode(gzip.compress(json.dumps(report, separators=(",", ":")).encode(), 6)).decode()


def assembled(page, data, title="inventoryd: heapwright report"):
    """What the C++ side does with the page: three markers, three replacements."""
    element = f'<script type="application/octet-stream" id="heapwright-data">{data}</script>'
    for marker, text in (("TITLE", html.escape(title)), ("NOSCRIPT", "<p>This report needs JavaScript.</p>"), ("DATA", element)):
        page = page.replace(f"<!--HEAPWRIGHT_{marker}-->", text)
    return page


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page")
    parser.add_argument("output")
    parser.add_argument("--kind", default="report", choices=["report", "diff", "small", "hostile"])
    parser.add_argument("--nodes", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    report = make_report(options.kind, options.nodes, options.seed)
    with open(options.page, encoding="utf-8") as file:
        page = assembled(file.read(), packed(report))
    with open(options.output, "w", encoding="utf-8") as file:
        file.write(page)
    print(f"{options.output}: {len(page) / 1e6:.1f} MB, {len(report['tree']['parent'])} tree nodes, {len(report['sites'])} sites", file=sys.stderr)


if __name__ == "__main__":
    main()
