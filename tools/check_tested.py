#!/usr/bin/env python3
"""Every header of src/heapwright has a test: one of its name in the mirrored folder of tests/, or any that includes it.

Programs are tested by running them (tests/system), so the headers of apps/ are not counted.
"""
import sys

import rules


def rule(root):
    tests = rules.files(root / "tests", ".cpp", ".hpp")
    included = {header for path in tests for _, header in rules.includes(path)}
    names = {path.relative_to(root / "tests").as_posix() for path in tests}
    for module in rules.modules(root):
        for name in module.headers if module.kind == "module" else []:
            header = f"{module.path}/{name}"
            parent, _, stem = header.removesuffix(".hpp").rpartition("/")
            candidates = {f"{parent}/{stem}_test.cpp", f"{parent.removesuffix('/detail')}/{stem.removesuffix('_impl')}_test.cpp"}
            if not (candidates & names or f"heapwright/{header}" in included):
                yield f"{module.folder / name}: no test; expected tests/{sorted(candidates)[0]}"


if __name__ == "__main__":
    sys.exit(rules.run(rule))
