"""``make bench [ONLY=codec|room|livekit|engine]``: prints ratios and writes benchmarks/results/latest.json.

Every row: bench, case, unit, ours, baseline, baseline_name, ratio (of the same unit: below 1 is less time, above 1 more packets), rounds.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

BENCHES = ("codec", "room", "livekit", "engine")


def machine() -> dict[str, str]:
    packages = ("betterproto2", "protobuf", "livekit", "trio")
    return {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        **{name: version(name) for name in packages},
    }


def show(row: dict[str, object]) -> None:
    rounds = " ".join(f"{ours / theirs:.2f}" if theirs else "-" for ours, theirs in row["rounds"])
    figures = f"{row['ours']:>10} {row['baseline']:>10} {row['unit']:14}"
    print(f"{row['case']:52} {figures} {row['ratio']:>7} of {row['baseline_name']}  [{rounds}]", flush=True)


def main() -> None:
    wanted = sys.argv[1:] or list(BENCHES)
    unknown = set(wanted) - set(BENCHES)
    if unknown:
        sys.exit(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}")
    rows = []
    for name in wanted:
        print(f"== {name}: ours, baseline, unit, ratio [ratio of each round]", flush=True)
        for row in import_module(f"bench_{name}").run():
            show(row)
            rows.append(row)
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    document = {"made": time.strftime("%Y-%m-%d"), "with": machine(), "rows": rows}
    (results / "latest.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
