"""Counts the instructions of counted handles with callgrind, and holds them to their ceilings. Prints the peers' beside them.

usage: instructions_test.py PROGRAM
"""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "alloc" / "golden"))
from instructions_test import measure  # noqa: E402

# At most so many instructions an operation, compiled by g++ 12 with -O3 -DNDEBUG.
CEILINGS = {
    "Rc copy and drop": 13, "Rc make and drop": 43, "Rc make and drop, with a destructor": 51, "Rc get": 4, "WeakRc upgrade and drop": 17,
    "Arc copy and drop": 16, "Arc make and drop": 51, "Arc make and drop, with a destructor": 59, "WeakArc upgrade and drop": 28,
    "BiasedArc copy and drop": 22, "BiasedArc make and drop": 70, "WeakBiasedArc upgrade and drop": 26,
    "1000 nodes in rings of 2, made and collected": 223_000, "1000 nodes in rings of 10, made and collected": 223_000,
    "1000 nodes in rings of 1000, made and collected": 223_000, "1000 living nodes touched and walked": 170_000,
}


def main():
    measured = measure(sys.argv[1])
    for name, count in measured.items():
        print(f"{count:10g}  {name}" + (f"  (at most {CEILINGS[name]})" if name in CEILINGS else ""))
    wrong = [name for name, most in CEILINGS.items() if measured.get(name, most + 1) > most]
    for name in wrong:
        print(f"heapwright: '{name}' takes {measured.get(name)} instructions, more than {CEILINGS[name]}; find out why")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
