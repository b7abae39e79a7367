#!/usr/bin/env python3
"""What is `heapwright tune` worth? Tunes real programs, then runs each plain, under the best other allocator, and tuned, in turns.

Usage: ./dev bench tune [--rounds N] [--only NAME,...] [--scale X] [--quick]

plain   the program as Debian has it        best    the allocator with the least CPU time in the replay, ours left out
tuned   with the memory.toml that tune left; "plain" where tune says that no change is worth it
A ratio is the median of the ratios within each round. Worse is what the sign test shows in the rounds at 1 in 100, and 2 % or more.
Targets: no program worse than plain by more than noise; over the allocation-heavy ones, CPU <= 0.88 of plain and <= 0.97 of
best, peak RSS <= plain (geometric means); for the mix of brief and lasting blocks, retained <= 1.3 times live; a lookup in the
plan <= 3 ns (--only lookup: what a plan costs a pair of malloc and free).
"""
from __future__ import annotations

import argparse
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from malloc_programs import PYTHON, SCRIPTS, SHARED, git_repository, git_words, json_document, redis_commands  # noqa: E402
from malloc_runs import DEBIAN, PEERS, Allocator, Launched, Result  # noqa: E402
from measure import Command, interleaved, median, paired_ratio, save, table, tool  # noqa: E402
from tune_lookup import judge_lookup, lookup_rows  # noqa: E402

HERE = Path(__file__).resolve().parent / "tune"
LIVE_LIMIT = 1.3
NOISE = 1.02
AWK = """{ for (i = 1; i <= NF; i++) { count[$i]++; seen[$i, $1 % 97] = seen[$i, $1 % 97] " " NR } }
END { for (word in count) total += length(word) * count[word]; for (pair in seen) sum += split(seen[pair], parts, " "); print total, sum }"""


@dataclass
class Case:
    """One program. `heavy`: callgrind counts a tenth or more of its instructions in malloc, free and their relatives, here xmllint 0.27,
    python3 0.27, cppcheck 0.24, gawk 0.19, lua 0.16, perl 0.11; not jq 0.04, sqlite3 0.01, tcl and sort 0.00. `load`: a shell command, for a server."""

    words: list[str]
    heavy: bool = False
    environment: dict[str, str] = field(default_factory=dict)
    stdin: Path | None = None
    load: str = ""


def checked_source(functions: int) -> str:
    """C++ for cppcheck, which keeps tokens and values of all of it."""
    body = "".join(f"static int step_{i}(int a, int b) {{ int sum = a * {i % 97} + b; for (int k = 0; k < {i % 13 + 2}; ++k) {{ "
                   f"if (sum > {i} && k != b) {{ sum -= k * a; }} else {{ sum += k ^ {i % 31}; }} }} return sum ? sum : a; }}\n" for i in range(functions))
    return body + f"int main() {{ return {' + '.join(f'step_{i}({i}, {i + 1})' for i in range(0, functions, 7))}; }}\n"


def cases(folder: Path, scale: float) -> dict[str, Case]:
    sql = folder / "statements.sql"
    sql.write_bytes(subprocess.run([PYTHON, str(SHARED / "sqlite.py"), str(int(100_000 * scale))], check=True, capture_output=True).stdout)
    (folder / "commands").write_bytes(redis_commands(int(400_000 * scale)))
    place, document = folder / "redis.socket", json_document(folder, int(40_000 * scale))
    markup = folder / "records.xml"
    markup.write_text("<all>" + "".join(f"<r id='{i}'><n>name {i * 7919 % 100003}</n><v>{i}</v></r>" for i in range(int(150_000 * scale))) + "</all>")
    lines = folder / "lines"
    lines.write_text("".join(f"{i * 2654435761 % 1000003} word{i * 7919 % 4001}\n" for i in range(int(400_000 * scale))))
    few = folder / "few"
    few.write_text("".join(lines.read_text(encoding="utf-8").splitlines(True)[::4]), encoding="utf-8")
    home = {"HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    source, checked = str(SHARED / "templates.cpp"), folder / "checked.cpp"
    checked.write_text(checked_source(int(700 * scale)), encoding="utf-8")
    return {
        "python3": Case([PYTHON, str(SHARED / "objects.py"), str(int(100_000 * scale))], True, {"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0"}),
        "perl": Case(["perl", str(SCRIPTS / "words.pl"), str(int(60_000 * scale))], True, {"PERL_HASH_SEED": "0"}),
        "lua": Case(["lua", str(SCRIPTS / "particles.lua"), str(int(32_000 * scale))], True),
        "jq": Case(["jq", "-c", "group_by(.tags[0]) | map({tag: .[0].tags[0], n: length, names: (map(.name) | unique | length)})", str(document)]),
        "xmllint": Case(["xmllint", "--xpath", "count(//r[v mod 7 = 0]/n)", str(markup)], True),
        "gawk": Case(["gawk", AWK, str(few)], True, {"LC_ALL": "C"}),
        "cppcheck": Case(["cppcheck", "-q", "--enable=style", "--std=c++20", str(checked)], True),
        "tcl": Case(["tclsh", str(SCRIPTS / "tables.tcl"), str(int(150_000 * scale))]),
        "clang": Case(["clang++-19", "-std=c++20", "-O0", "-fsyntax-only", source]),
        "g++": Case(["g++", "-std=c++23", "-O0", "-fsyntax-only", source]),
        "sqlite3": Case(["sqlite3", ":memory:"], stdin=sql),
        "git": Case(git_words(git_repository(folder, max(20, int(500 * scale)))), environment=home),
        "sort": Case(["sort", "--parallel=1", "-k2", str(lines)], environment={"LC_ALL": "C"}),
        # Its own allocator is jemalloc, so "glibc" is that, too; its output is a log, and no proof.
        "redis-server": Case(["redis-server", "--port", "0", "--unixsocket", str(place), "--save", "", "--appendonly", "no", "--dir", str(folder)],
                             load=f"{PYTHON} {HERE / 'redis_load.py'} {place} {folder / 'commands'}"),
    }


def tune(case: Case, folder: Path, runs: int) -> dict:
    options = (["--load", case.load] if case.load else []) + (["--runs", str(runs)] if runs else [])
    with open(case.stdin or os.devnull, "rb") as source:
        done = subprocess.run([tool("heapwright"), "--no-progress", "tune", "--json", "-o", str(folder), *options, "--", *case.words],
                              stdin=source, capture_output=True, text=True, env={**os.environ, **case.environment}, check=False)
    if done.returncode != 0:
        sys.exit(f"heapwright: tune failed on {case.words[0]}:\n{done.stderr}")
    return json.loads(done.stdout)


def outfit(config: Path) -> dict[str, str]:
    """What `heapwright run --config` would put into the environment."""
    shown = subprocess.run([tool("heapwright"), "run", "--show", "--config", str(config)], check=True, capture_output=True, text=True).stdout
    return dict(line.split("=", 1) for line in shown.splitlines())


def best_other(tuned: dict) -> tuple[str, dict[str, str]]:
    """The allocator with the least CPU time in the replay, our own and settings left out."""
    replayed = {name: figures["cpu_ns"] for name, figures in tuned["replay"].items() if name == "glibc" or name in PEERS}
    name = min(replayed, key=replayed.get, default="glibc")
    return name, {} if name == "glibc" else {"LD_PRELOAD": str(DEBIAN / PEERS[name])}


def run(case: Case, environment: dict[str, str]) -> Result:
    preload = environment.get("LD_PRELOAD", "")
    launched = Launched(Command(case.words, {**case.environment, **environment}, case.stdin), Allocator("", preload))
    if case.load:
        try:
            subprocess.run(case.load, shell=True, check=True)
        finally:
            launched.child.terminate()
    result, _ = launched.finish()
    if result.failure:
        sys.exit(f"heapwright: {case.words[0]} failed: {result.failure}")
    return result


def losses_are_no_luck(plain: list[float], other: list[float]) -> bool:
    """The sign test of rounds, one-sided, at 1 in 100: seven losses of seven are the least that it believes."""
    losses = sum(after > before for before, after in zip(plain, other))
    rounds = sum(after != before for before, after in zip(plain, other))
    return sum(math.comb(rounds, i) for i in range(losses, rounds + 1)) <= 0.01 * 2 ** rounds


def measure(name: str, case: Case, folder: Path, options: argparse.Namespace) -> dict:
    print(f"\r\033[K  {name}: tuning", end="", file=sys.stderr, flush=True)
    tuned = tune(case, folder / f"tune-{name}", options.tune_runs)
    best, best_environment = best_other(tuned)
    ways = {"plain": {}, "best": best_environment, "tuned": outfit(Path(tuned["config"]))}
    results = interleaved({f"{name} {way}": (lambda given=given: run(case, given)) for way, given in ways.items()}, options.rounds)
    figures = {way: results[f"{name} {way}"] for way in ways}
    cpu = {way: median([one.cpu_s for one in runs]) for way, runs in figures.items()}
    peak = {way: median([one.peak_mib for one in runs]) for way, runs in figures.items()}

    def values(way: str, figure: str) -> list[float]:
        return [getattr(one, figure) for one in figures[way]]

    def is_worse(figure: str) -> bool:
        plain, other = values("plain", figure), values("tuned", figure)
        return losses_are_no_luck(plain, other) and paired_ratio(other, plain) > NOISE

    return {"program": name, "heavy": case.heavy, "applied": tuned["best"] or "plain", "best": best, "outcome": tuned["outcome"],
            "plain_cpu_s": cpu["plain"], "best_cpu_s": cpu["best"], "tuned_cpu_s": cpu["tuned"], "plain_peak_mib": peak["plain"],
            "best_peak_mib": peak["best"], "tuned_peak_mib": peak["tuned"], "cpu_ratio": paired_ratio(values("tuned", "cpu_s"), values("plain", "cpu_s")),
            "to_best_ratio": paired_ratio(values("tuned", "cpu_s"), values("best", "cpu_s")),
            "peak_ratio": paired_ratio(values("tuned", "peak_mib"), values("plain", "peak_mib")),
            "same_output": bool(case.load) or len({one.proof for one in figures["plain"] + figures["tuned"]}) == 1, "worse": is_worse("cpu_s") or is_worse("peak_mib"),
            "cpu_runs_s": {way: [round(one.cpu_s, 4) for one in runs] for way, runs in figures.items()}}


def mix_row(folder: Path, mib: int, rounds: int) -> dict:
    """Retained after the peak, over live: plain, each other allocator, ours without a plan, and ours with what `advise` writes."""
    binary, trace, config = folder / "mix", folder / "mix.hwtrace", folder / "mix.toml"
    subprocess.run(["g++", "-std=c++20", "-O2", "-g", "-o", str(binary), str(HERE / "mix.cpp")], check=True)
    heapwright = [tool("heapwright"), "--no-progress"]
    subprocess.run([*heapwright, "record", "-q", "-o", str(trace), "--", str(binary), str(mib)], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([*heapwright, "advise", str(trace), "--write", str(config)], check=True, stdout=subprocess.DEVNULL)
    own = folder / "own.toml"
    own.write_text('[allocator]\nstrategy = "heapwright"\n', encoding="utf-8")
    ways = {"plain": {}, "heapwright": outfit(own), "tuned": outfit(config)}
    ways |= {name: {"LD_PRELOAD": str(DEBIAN / file)} for name, file in PEERS.items() if (DEBIAN / file).exists()}

    def retained(environment: dict[str, str]) -> float:
        said = subprocess.run([str(binary), str(mib)], check=True, capture_output=True, text=True, env={**os.environ, **environment}).stdout
        live, _, idle = (int(number) for number in re.findall(r"\d+", said))
        return idle / live

    results = interleaved({way: (lambda given=given: retained(given)) for way, given in ways.items()}, rounds)
    return {"program": "mix", "sites": config.read_text(encoding="utf-8").count("[[site]]"),
            "retained_to_live": {way: round(median(values), 3) for way, values in results.items()}}


def geometric_mean(values: list[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values)) if values else float("nan")


def judge(rows: list[dict], mix: dict | None) -> list[str]:
    heavy = [row for row in rows if row["heavy"]]
    lines = []
    for key, label, target in (("cpu_ratio", "CPU to plain", 0.88), ("to_best_ratio", "CPU to best", 0.97), ("peak_ratio", "peak RSS to plain", 1.0)):
        if heavy:
            value = geometric_mean([row[key] for row in heavy])
            lines.append(f"{label}, {len(heavy)} allocation-heavy programs: {value:.3f}, target {target}: {'met' if value <= target + 0.0005 else 'MISSED'}")
    worse = [row["program"] for row in rows if row["worse"]]
    if rows:
        lines.append(f"worse than plain beyond noise: {', '.join(worse) + ': MISSED' if worse else 'none: met'}")
        changed = [row["program"] for row in rows if not row["same_output"]]
        lines.append(f"other output than plain: {', '.join(changed) + ': MISSED' if changed else 'none: met'}")
    if mix:
        value = mix["retained_to_live"]["tuned"]
        lines.append(f"mix, retained to live: {value:.2f}, target {LIVE_LIMIT}: {'met' if value <= LIVE_LIMIT else 'MISSED'}"
                     f" ({', '.join(f'{way} {ratio:.2f}' for way, ratio in mix['retained_to_live'].items() if way != 'tuned')})")
    return lines


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=11)
    arguments.add_argument("--tune-runs", type=int, default=0, help="pairs of runs in the last comparison of each tune; 0: as tune does it")
    arguments.add_argument("--only", default="")
    arguments.add_argument("--scale", type=float, default=1.0)
    arguments.add_argument("--mix-mib", type=int, default=512)
    arguments.add_argument("--quick", action="store_true", help="a fifth of the work, three rounds, nothing saved: does it all run?")
    options = arguments.parse_args()
    if options.quick:
        options.rounds, options.tune_runs, options.scale, options.mix_mib = 3, 3, options.scale / 5, 64
    only = [name for name in options.only.split(",") if name]
    began = time.monotonic()
    rows, mix, lookup = [], None, []
    with tempfile.TemporaryDirectory(prefix="heapwright-bench-") as name:
        folder = Path(name)
        programs = cases(folder, options.scale)
        if unknown := [name for name in only if name not in (*programs, "mix", "lookup")]:
            sys.exit(f"heapwright: no program of this bench is called {', '.join(unknown)}; there are {', '.join(programs)}, mix, lookup")
        for program, case in programs.items():
            if only and program not in only:
                continue
            if shutil.which(case.words[0]) is None:
                print(f"not measured: {program} (no program '{case.words[0]}' here)", file=sys.stderr)
                continue
            rows.append(measure(program, case, folder, options))
        if not only or "mix" in only:
            mix = mix_row(folder, options.mix_mib, min(options.rounds, 3))
        if not only or "lookup" in only:
            lookup = lookup_rows(folder, outfit, options.rounds)
    print("" if not rows else table(rows, [("program", "program"), ("applied", "applied"), ("best", "best"), ("plain_cpu_s", "plain CPU s"), ("best_cpu_s", "best CPU s"),
                       ("tuned_cpu_s", "tuned CPU s"), ("plain_peak_mib", "plain MiB"), ("tuned_peak_mib", "tuned MiB"), ("cpu_ratio", "CPU"),
                       ("to_best_ratio", "to best"), ("peak_ratio", "peak")]))
    if lookup:
        print(table(lookup, [("pair", "malloc and free"), ("ns", "ns"), ("more_ns", "more than without")]))
    lines = judge(rows, mix) + (judge_lookup(lookup) if lookup else [])
    print("\n".join(lines) + ("\nquick: so little work shows that everything runs, and no more" if options.quick else ""))
    print(f"took {(time.monotonic() - began) / 60:.1f} min")
    if not only and not options.quick:
        print(f"saved to {save('tune', rows, rounds=options.rounds, mix=mix, lookup=lookup, verdict=lines).name} in bench/results")
    sys.exit(1 if not options.quick and any("MISSED" in line for line in lines) else 0)


if __name__ == "__main__":
    main()
