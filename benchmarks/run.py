"""``make bench [ONLY=codec|room|livekit|engine|pressure]``: prints ratios and writes benchmarks/results/latest.json.

Every row: bench, case, unit, ours, baseline, baseline_name, ratio (of the same unit: below 1 is less time, above 1 more packets), rounds.
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
sys.path.insert(0, str(HERE))

BENCHES = ("codec", "room", "livekit", "engine", "pressure")


def machine() -> dict[str, str]:
    packages = ("betterproto2", "protobuf", "protobuf-py", "livekit", "trio")
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


def main() -> None:
    wanted = sys.argv[1:] or list(BENCHES)
    unknown = set(wanted) - set(BENCHES)
    if unknown:
        sys.exit(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}")
    rows = []
    for name in wanted:
        print(f"== {name}: ours, baseline, unit, ratio [ratio of each round]", flush=True)
        bench = import_module(f"bench_{name}")
        for row in bench.run():
            show(row)
            rows.append(row)
        if hasattr(bench, "verdict"):
            print("\n".join(bench.verdict(rows)))
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    document = {"made": time.strftime("%Y-%m-%d"), "with": machine(), "rows": rows}
    (results / "latest.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
