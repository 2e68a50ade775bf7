"""``make bench [ONLY=codec|room|world|livekit|engine|ws|pressure|connect|pulse|unused|rooms|server|station]``: prints ratios and writes benchmarks/results/latest.json.

``run.py BENCH:CASE`` measures only cases that have this text in them.  What was not measured this time stays in the file, as long as it
was made with the same versions.  Every row: bench, case, unit, ours, baseline, baseline_name, ratio (of the same unit: below 1 is less time, above 1 more packets), rounds.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from importlib import import_module
from importlib.metadata import distributions, version
from pathlib import Path

HERE = Path(__file__).parent
LATEST = HERE / "results" / "latest.json"
sys.path.insert(0, str(HERE))

BENCHES = (
    "codec",
    "room",
    "world",
    "livekit",
    "engine",
    "ws",
    "pressure",
    "connect",
    "pulse",
    "unused",
    "rooms",
    "server",
    "station",
)


def machine() -> dict[str, str]:
    packages = ("betterproto2", "protobuf", "protobuf-py", "livekit", "trio", "websockets")
    installed = {dist.name for dist in distributions()}
    return {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        **{name: version(name) for name in packages if name in installed},
    }


def show(row: dict[str, object]) -> None:
    rounds = " ".join(f"{ours / theirs:.2f}" if theirs else "-" for ours, theirs in row["rounds"])
    figures = f"{row['ours']:>10} {row['baseline']:>10} {row['unit']:14}"
    print(f"{row['case']:52} {figures} {row['ratio']:>7} of {row['baseline_name']}  [{rounds}]", flush=True)


def keep(name: str, only: str, rows: list[dict[str, object]]) -> None:
    """Put new rows of a benchmark into the file in the place of its old ones."""
    before: list[dict[str, object]] = []
    if LATEST.exists():
        document = json.loads(LATEST.read_text())
        if document["with"].items() <= machine().items():
            before = [row for row in document["rows"] if row["bench"] != name or only not in str(row["case"])]
    LATEST.parent.mkdir(exist_ok=True)
    document = {"made": time.strftime("%Y-%m-%d"), "with": machine(), "rows": before + rows}
    LATEST.write_text(json.dumps(document, indent=1) + "\n")


def main() -> None:
    wanted = [argument.partition(":")[::2] for argument in sys.argv[1:] or BENCHES]
    unknown = {name for name, _ in wanted} - set(BENCHES)
    if unknown:
        sys.exit(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}")
    for name, only in wanted:
        print(f"== {name}: ours, baseline, unit, ratio [ratio of each round]", flush=True)
        # What needs more than one module is a package.
        bench = import_module(name if (HERE / name).is_dir() else f"bench_{name}")
        rows = []
        for row in bench.run(only=only):
            show(row)
            rows.append(row)
        keep(name, only, rows)
        if hasattr(bench, "verdict"):
            print("\n".join(bench.verdict(rows)))


if __name__ == "__main__":
    main()
