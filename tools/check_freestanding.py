#!/usr/bin/env python3
"""The objects of a freestanding module ask for memcpy, memmove, memset and memcmp, and for nothing else of the host.

usage: check_freestanding.py ARCHIVE [ARCHIVE ...]: what one archive defines, the others may ask for
"""
import subprocess
import sys

# The last one is the linker's own.
HOST = {"memcpy", "memmove", "memset", "memcmp", "_GLOBAL_OFFSET_TABLE_"}


def symbols(archive, which):
    lines = subprocess.run(["nm", which, archive], check=True, capture_output=True, text=True).stdout.splitlines()
    return {line.split()[-1] for line in lines if line.strip() and not line.endswith(":")}


def complaints(archives):
    defined = set().union(*(symbols(archive, "--defined-only") for archive in archives))
    for archive in archives:
        for name in sorted(symbols(archive, "--undefined-only") - defined - HOST):
            yield f"{archive}: asks the host for {name}"


if __name__ == "__main__":
    found = list(complaints(sys.argv[1:]))
    print("\n".join(found) if found else "check_freestanding.py: nothing to complain of")
    sys.exit(1 if found else 0)
