"""The invented program's memory over time: timeline, heap maps, fragmentation."""
import base64
import math

PAGE_BYTES = 4096


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


def age(rng, cells, filled, moment, count):
    """One step of the main heap: it fills from the left, and later phases free most of some stretches."""
    for cell in range(filled):
        if cells[cell] == 0 and rng.random() < 0.97 and moment < count * 0.6:
            cells[cell] = 255
    if moment < count * 0.3:
        return
    for _ in range(14):
        start = rng.randrange(max(1, filled))
        kept = rng.choice([0.0, 0.02, 0.08, 0.3])
        for cell in range(start, min(filled, start + rng.randint(40, 1800))):
            if cells[cell] > 40:
                cells[cell] = 0 if rng.random() > 0.55 else max(1, min(255, int(255 * rng.gauss(kept, 0.04))))


def make_maps(rng, count, cells, duration, peak_ns):
    """A main region that ages, and regions that the allocator maps and gives back."""
    per_map = max(64, cells // count)
    main = [0] * per_map
    maps = []
    regions = [(0x7F3A_2000_0000 + index * 0x900_0000, [0] * rng.randint(20, 700)) for index in range(14)]
    for moment in range(count):
        age(rng, main, int(per_map * min(1, 0.3 + 0.75 * moment / count)), moment, count)
        runs = [{"begin": 0x5581_4C20_0000, "cell_bytes": PAGE_BYTES, "cells": per_map, "occupancy": base64.b64encode(bytes(main)).decode()}]
        for begin, values in regions:
            full = rng.choice([0, 0.5, 1])
            for cell in range(len(values)):
                if rng.random() < 0.3:
                    values[cell] = 255 if cell < len(values) * full else rng.choice([0, 0, 30])
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
