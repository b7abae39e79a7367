#!/usr/bin/env python3
"""Checks the format of C++ files with clang-format 19: those changed since the last commit on main, or with --all; --fix repairs."""
import re
import subprocess
import sys
from pathlib import Path

import rules

TOOL = "clang-format-19"
ROOT = Path(__file__).resolve().parent.parent


def changed_files(*suffixes):
    """Files of the tree that differ from where this branch left main, or from the last commit on main itself."""
    def git(*words):
        return subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True).stdout.strip()
    base = git("merge-base", "HEAD", "main") or "HEAD"
    names = git("diff", "--name-only", "--diff-filter=d", base).splitlines() + git("ls-files", "--others", "--exclude-standard").splitlines()
    return [ROOT / name for name in sorted(set(names)) if name.endswith(suffixes)]


def main():
    version = subprocess.run([TOOL, "--version"], capture_output=True, text=True).stdout
    if not re.search(r"version 19\.", version):
        print(f"heapwright: {TOOL} is not version 19: it says '{version.strip()}'; install {TOOL}")
        return 1
    suffixes = (".hpp", ".cpp")
    chosen = rules.files(ROOT, *suffixes) if "--all" in sys.argv or "--fix" in sys.argv else changed_files(*suffixes)
    if not chosen:
        print("check_format.py: no file changed")
        return 0
    mode = ["-i"] if "--fix" in sys.argv else ["--dry-run", "--Werror"]
    result = subprocess.run([TOOL, *mode, *map(str, chosen)], capture_output=True, text=True)
    wrong = sorted(set(re.findall(r"^(\S+?):\d+:\d+: error", result.stderr, re.M)))
    for path in wrong:
        print(f"{path}: not formatted; tools/check_format.py --fix repairs it")
    print(f"check_format.py: {len(chosen)} files, {len(wrong)} to format")
    return 1 if wrong or result.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
