"""Makes reports of an invented program, as large and as odd as the page's tests need, and puts them into the page.

Usage: sample.py PAGE OUTPUT [--kind report|diff|small|hostile] [--nodes N] [--seed N]
"""
import argparse
import base64
import gzip
import html
import json
import random
import sys

from sample_advice import make_comparison, make_suggestions
from sample_heap import fragmentation, make_maps, make_timeline
from sample_sites import MODULES, RUNTIME, Stacks, WEIGHTS, make_frames, make_site, totals_of, tree_of


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
        sites.append(make_site(rng, len(sites), stacks.path(node), 40 if small else 4))
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
        "provenance": {"program": "/usr/local/bin/inventoryd", "arguments": "inventoryd --serve --data /var/lib/inventory --threads 12", "allocator": "glibc 2.36",
                       "kernel": "6.1.0-40-amd64", "thp": "madvise", "cores_online": "12", "machine_memory_bytes": "67108864000", "stack_mode": "full", "depth": "32",
                       "pid": "4711", "started_unix_ns": "1760000000000000000", "recorder_cpu_ns": "812345678"},
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
    report["provenance"].update(program=evil, arguments=evil)
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
