"""What a placement plan costs where it says nothing, and where it does: nanoseconds of a pair of malloc and free."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "system"))
from plan_support import build_id, returns, site  # noqa: E402

from measure import interleaved, median  # noqa: E402

TARGET_NS = 3.0
NAMED, UNNAMED = 64, 400  # bytes of a pair: a size that the plans name, and one that they do not


def plans(binary: str) -> dict[str, str]:
    """The same code in each, for blocks of up to 100 bytes."""
    small = {"max_bytes": "100"}
    many = "".join(f'[[site]]\nmodule = "{build_id(binary)}"\nreturns = [{0x10_0000 + 16 * number}]\nmax_bytes = 100\nname = "far"\nplace = "pool"\n'
                   for number in range(1000))
    return {"bump": site(binary, "bump", "malloc", "pair_named", name="named", **small),
            "pool": site(binary, "pool", "malloc", "pair_named", name="named", **small),
            "1000 entries": many + site(binary, "bump", "malloc", "pair_named", name="named", **small),
            "caller": f'[[site]]\nmodule = "{build_id(binary)}"\nreturns = {returns(binary, "malloc", "make_wrapped", "pair_wrapped")}\n'
                      'max_bytes = 100\nname = "named"\nplace = "bump"\n'}


def lookup_rows(folder: Path, outfit, rounds: int) -> list[dict]:
    """`outfit`: what `heapwright run` puts into the environment for a memory.toml."""
    binary = folder / "lookup"
    subprocess.run(["g++", "-std=c++20", "-O2", "-o", str(binary), str(ROOT / "bench" / "tune" / "lookup.cpp")], check=True)
    environments = {}
    for name, plan in {"none": "", **plans(str(binary))}.items():
        config = folder / f"lookup-{name.replace(' ', '-')}.toml"
        config.write_text('[allocator]\nstrategy = "heapwright"\n' + plan, encoding="utf-8")
        environments[name] = {**os.environ, **outfit(config)}
    series = {"no plan": ("none", "other", NAMED), "no plan, through a wrapper": ("none", "wrapped", NAMED),
              "no plan, another size": ("none", "other", UNNAMED),
              "a plan of other sizes": ("bump", "other", UNNAMED), "a plan of other code": ("bump", "other", NAMED),
              "a plan of 1000 entries of other code": ("1000 entries", "other", NAMED), "in a bump place": ("bump", "named", NAMED),
              "in a pool place": ("pool", "named", NAMED), "in a bump place, by its caller": ("caller", "wrapped", NAMED)}

    def run(plan: str, what: str, size: int) -> float:
        done = subprocess.run([str(binary), what, str(size)], env=environments[plan], capture_output=True, text=True, check=True)
        if done.stderr:
            sys.exit(f"heapwright: {done.stderr}")
        return float(done.stdout)

    results = interleaved({label: (lambda given=given: run(*given)) for label, given in series.items()}, rounds)
    base = {"no plan, another size": "no plan, another size", "a plan of other sizes": "no plan, another size",
            "no plan, through a wrapper": "no plan, through a wrapper", "in a bump place, by its caller": "no plan, through a wrapper"}
    middle = {label: median(values) for label, values in results.items()}
    return [{"pair": label, "ns": round(middle[label], 2), "more_ns": round(middle[label] - middle[base.get(label, "no plan")], 2)} for label in series]


def judge_lookup(rows: list[dict]) -> list[str]:
    more = {row["pair"]: row["more_ns"] for row in rows}
    lines = []
    for label in ("a plan of other code", "a plan of 1000 entries of other code"):
        met = "met" if more[label] <= TARGET_NS else "MISSED"
        lines.append(f"a lookup that finds nothing, {label}: {more[label]:.2f} ns a pair, target {TARGET_NS:g}: {met}")
    return lines
