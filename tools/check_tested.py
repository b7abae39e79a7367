#!/usr/bin/env python3
"""Every header of src/heapwright has a test: one of its name in the mirrored folder of tests/, or any that reaches it
by its includes. A header that only sources include is reached when a test links its module and includes another of it.

Programs are tested by running them (tests/system), so the headers of apps/ are not counted.
"""
import sys

import rules


def reached_headers(root, tests):
    """Every header that a test includes, or that one of those includes, and so on; sources beside a reached header count too."""
    waiting = [header for path in tests for _, header in rules.includes(path)]
    reached = set()
    while waiting:
        header = waiting.pop()
        path = root / "src" / header
        if header in reached or not path.is_file():
            continue
        reached.add(header)
        for source in (path, *path.parent.glob("*.cpp")):
            waiting += [below for _, below in rules.includes(source)]
    return reached


def rule(root):
    tests = rules.files(root / "tests", ".cpp", ".hpp")
    reached = reached_headers(root, tests)
    names = {path.relative_to(root / "tests").as_posix() for path in tests}
    for module in rules.modules(root):
        for name in module.headers if module.kind == "module" else []:
            header = f"{module.path}/{name}"
            parent, _, stem = header.removesuffix(".hpp").rpartition("/")
            candidates = {f"{parent}/{stem}_test.cpp", f"{parent.removesuffix('/detail')}/{stem.removesuffix('_impl')}_test.cpp"}
            if not (candidates & names or f"heapwright/{header}" in reached):
                yield f"{module.folder / name}: no test; expected tests/{sorted(candidates)[0]}"


if __name__ == "__main__":
    sys.exit(rules.run(rule))
