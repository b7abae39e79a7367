"""Counts the instructions of the allocators' hot paths with callgrind and compares them with golden.txt.

usage: instructions_test.py PROGRAM [--update]: counts are exact, so a difference is a change of the code or the compiler
"""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

GOLDEN = Path(__file__).parent / "golden.txt"
DESCRIPTION = re.compile(r"desc: Trigger: Client Request: (.+) (\d+)$", re.M)
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
                runs.setdefault(described[1], {})[int(described[2])] = int(TOTALS.search(text)[1])
    each = {}
    for name, totals in runs.items():
        few, many = min(totals), max(totals)
        each[name] = (totals[many] - totals[few]) / (many - few)
    loop = each.pop("nothing")
    return {name: round(count - loop, 3) for name, count in each.items()}


def read_golden():
    lines = [line.split("\t") for line in GOLDEN.read_text().splitlines() if line and not line.startswith("#")]
    return {name: (float(count), compiler) for name, count, compiler in lines}


def main():
    measured = measure(sys.argv[1])
    for name, count in sorted(measured.items()):
        print(f"{count:8g}  {name}")
    if "--update" in sys.argv:
        head = [line for line in GOLDEN.read_text().splitlines() if line.startswith("#")] if GOLDEN.exists() else []
        body = [f"{name}\t{count:g}\tg++ 12" for name, count in sorted(measured.items())]
        GOLDEN.write_text("\n".join(head + body) + "\n")
        return 0
    golden = read_golden()
    wrong = [name for name in sorted(golden.keys() | measured.keys()) if measured.get(name) != golden.get(name, (None,))[0]]
    for name in wrong:
        print(f"heapwright: '{name}' takes {measured.get(name)} instructions, golden.txt says {golden.get(name, (None,))[0]}; "
              "find out why, then run instructions_test.py PROGRAM --update and say so in the commit")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
