#!/usr/bin/env bash
# The main job on real programs: sqlite3 and python3 are run, recorded, explained, advised on, and the advice is proved.
# Called by `./dev demo` after the build. Usage: tools/demo.sh [OUTPUT_FOLDER]
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
build=$root/build/release
output=${1:-$root/build/demo}
heapwright=$build/bin/heapwright
python=/usr/bin/python3

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

mkdir -p "$output"
"$python" "$root/bench/programs/sqlite.py" 60000 > "$output/statements.sql"

say "1 of 2: sqlite3 builds a table of 60,000 people in memory and asks it questions"
"$heapwright" tune -o "$output/sqlite3" -- sqlite3 :memory: < "$output/statements.sql"

say "2 of 2: python3 parses, groups and sorts 60,000 records, every object a malloc of its own"
PYTHONMALLOC=malloc "$heapwright" tune -o "$output/python3" -- "$python" "$root/bench/programs/objects.py" 60000 < /dev/null

say "Open the reports in a browser:"
printf '  %s\n' "$output/sqlite3/report.html" "$output/python3/report.html"
