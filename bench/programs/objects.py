"""A small data job: parse, group, sort and format records. Run with PYTHONMALLOC=malloc every object is a malloc."""
import json
import sys


def main(count: int) -> None:
    records = [{"id": i, "name": f"user{i * 7919 % count}", "tags": [str(i % k) for k in (3, 5, 7)]} for i in range(count)]
    text = json.dumps(records)
    parsed = json.loads(text)
    groups: dict[str, list[dict]] = {}
    for record in parsed:
        groups.setdefault(record["tags"][1], []).append(record)
    lines = []
    for key in sorted(groups):
        members = sorted(groups[key], key=lambda r: r["name"])
        lines.append(f"{key}:{len(members)}:{members[0]['name']}:{sum(len(m['name']) for m in members)}")
    kept = {line: line.upper().split(":") for line in lines for _ in range(20)}
    print(len(text), len(kept), lines[0], lines[-1])


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60000)
