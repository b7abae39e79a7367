"""Invented suggestions and trials."""
import math

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
            "where": "store::Record::insert, /src/inventoryd/store/record.cpp:118" if chosen else "",
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
