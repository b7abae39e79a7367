"""Counts the instructions of the allocators' hot paths with callgrind and compares them with golden.txt.

usage: instructions_test.py PROGRAM [--probes] [--update]: counts are exact, so a difference is a change of the code or the
compiler; one with a fraction is a mean over steps that differ, and moves a little with where blocks happen to lie: a twentieth is let pass. --probes: the build has probes, whose no-op instructions count; rows with that word replace the others then.
"""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

GOLDEN = Path(__file__).parent / "golden.txt"
DESCRIPTION = re.compile(r"desc: Trigger: Client Request: (.+) (\d+)$", re.M)
PROBES = ", probes"
MEAN_TOLERANCE = 0.05
TOTALS = re.compile(r"^totals: (\d+)$", re.M)


def measure(program):
    """Instructions of each operation, with the loop around it taken off."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/dump", program]
        result = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if result.returncode != 0:
            sys.exit(f"{program} failed under callgrind:\n{result.stderr}")
        runs = {}
        for dump in Path(folder).iterdir():
            text = dump.read_text()
            if described := DESCRIPTION.search(text):
                totals, times = runs.setdefault(described[1], {}), int(described[2])
                totals[times] = min(int(TOTALS.search(text)[1]), totals.get(times, sys.maxsize))  # the least of equal rows
    each = {}
    for name, totals in runs.items():
        few, many = min(totals), max(totals)
        each[name] = (totals[many] - totals[few]) / (many - few)
    loop = each.pop("nothing")
    return {name: round(count - loop, 3) for name, count in each.items()}


def read_golden(has_probes):
    lines = [line.split("\t") for line in GOLDEN.read_text().splitlines() if line and not line.startswith("#")]
    plain = {name: (float(count), compiler) for name, count, compiler in lines if not compiler.endswith(PROBES)}
    return plain | {name: (float(count), compiler) for name, count, compiler in lines if has_probes and compiler.endswith(PROBES)}


def differs(count, golden):
    if count is None or golden is None or count == int(count) or golden == int(golden):
        return count != golden
    return abs(count - golden) > MEAN_TOLERANCE * golden


def main():
    measured, has_probes = measure(sys.argv[1]), "--probes" in sys.argv
    for name, count in sorted(measured.items()):
        print(f"{count:8g}  {name}")
    if "--update" in sys.argv:
        lines = GOLDEN.read_text().splitlines()
        head = [line for line in lines if line.startswith("#")]
        kept = [line for line in lines if line not in head and line.endswith(PROBES) != has_probes]
        plain = read_golden(False)
        body = [f"{name}\t{count:g}\tg++ 12{PROBES if has_probes else ''}" for name, count in measured.items()
                if not has_probes or plain.get(name, (None,))[0] != count]
        GOLDEN.write_text("\n".join(head + sorted(kept + body)) + "\n")
        return 0
    golden = read_golden(has_probes)
    wrong = [name for name in sorted(golden.keys() | measured.keys()) if differs(measured.get(name), golden.get(name, (None,))[0])]
    for name in wrong:
        print(f"heapwright: '{name}' takes {measured.get(name)} instructions, golden.txt says {golden.get(name, (None,))[0]}; "
              "find out why, then run instructions_test.py PROGRAM --update and say so in the commit")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
