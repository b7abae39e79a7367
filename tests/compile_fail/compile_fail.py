"""Runs the compiler on programs that must not compile and looks for the sentences that each expects.

usage: compile_fail.py FILE.cpp ... COMPILER [FLAG ...]
"""
import re
import subprocess
import sys
from itertools import takewhile
from pathlib import Path


def check(source: str, command: list[str]) -> int:
    expected = re.findall(r"^// expect: (.+)$", Path(source).read_text(), re.M)
    if not expected:
        print(f"{source}: has no line '// expect: ...'")
        return 1
    control = subprocess.run([*command, "-DHEAPWRIGHT_CONTROL", source], capture_output=True, text=True)
    if control.returncode != 0:
        print(f"{source}: does not compile even without the misuse:\n{control.stderr}")
        return 1
    result = subprocess.run([*command, "-Werror=unused-result", source], capture_output=True, text=True)
    if result.returncode == 0:
        print(f"{source}: compiles, but must not")
        return 1
    missing = [sentence for sentence in expected if sentence not in result.stderr]
    for sentence in missing:
        print(f"{source}: the compiler does not say '{sentence}'; it says:\n{result.stderr}")
    return 1 if missing else 0


def main() -> int:
    sources = list(takewhile(lambda word: word.endswith(".cpp"), sys.argv[1:]))
    command = sys.argv[1 + len(sources):]
    return max([check(source, command) for source in sources])  # all are tried: each says what is wrong with it


if __name__ == "__main__":
    sys.exit(main())
