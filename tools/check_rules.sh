#!/usr/bin/env bash
# Runs every rule script that needs no build, and fails if any complains.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
status=0
for rule in layers files discipline tested words invariants; do
    python3 "tools/check_$rule.py" . || status=1
done
exit $status
