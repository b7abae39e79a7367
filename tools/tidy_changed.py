#!/usr/bin/env python3
"""Runs clang-tidy 19 on the sources changed since the last commit on main, or with --all on every source of the build.

usage: tidy_changed.py BUILD_FOLDER [--all | FILE ...]
"""
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import check_format

TOOL = "clang-tidy-19"


def tidy(build, path):
    result = subprocess.run([TOOL, "--quiet", "-p", build, str(path)], capture_output=True, text=True)
    print(f"{'tidy ' if result.returncode == 0 else 'UNTIDY'} {path}", flush=True)
    return path, result.returncode, result.stdout


def main():
    build, *words = sys.argv[1:]
    compiled = {Path(entry["file"]).resolve() for entry in json.loads(Path(build, "compile_commands.json").read_text())}
    compiled = {path for path in compiled if check_format.ROOT in path.parents and "build" not in path.relative_to(check_format.ROOT).parts}
    named = [Path(word).resolve() for word in words if not word.startswith("--")]
    if "--all" in words:
        chosen = compiled
    elif named:
        chosen = compiled & set(named)
    else:
        changed = set(check_format.changed_files(".hpp", ".cpp"))
        # A header is checked through the sources beside it.
        folders = {path.parent for path in changed if path.suffix == ".hpp"}
        chosen = {path for path in compiled if path in changed or path.parent in folders}
    with ThreadPoolExecutor(int(os.environ.get("HEAPWRIGHT_JOBS", os.cpu_count() or 1))) as pool:
        results = list(pool.map(lambda path: tidy(build, path), sorted(chosen)))
    untidy = [(path, text) for path, status, text in results if status != 0]
    for path, text in untidy:
        print(f"\n== {path}\n{text}")
    print(f"tidy_changed.py: {len(results)} sources, {len(untidy)} untidy")
    return 1 if untidy else 0


if __name__ == "__main__":
    sys.exit(main())
