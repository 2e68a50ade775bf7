"""Write README's table of speed from benchmarks/results/latest.json (``make bench``): ``make bench-readme``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BEGIN, END = "<!-- speed: made by `make bench-readme` -->", "<!-- /speed -->"
KINDS = (
    "position",
    "movement",
    "movement, all fields",
    "movement_compressed",
    "chat",
    "scene, 1 KB",
    "profile_response, 10 KB",
    "voice",
)
OPERATIONS = ("encode", "decode", "decode+read", "peek", "encode from arguments", "twin: decode+read")


def codec(rows: list[dict[str, object]]) -> list[str]:
    """Time of ours in times of protobuf's C runtime, by kind and operation."""
    ratios = {row["case"]: row["ratio"] for row in rows if row["bench"] == "codec"}
    lines = [
        "| packet | " + " | ".join(name.replace("twin: ", "pure Python: ") for name in OPERATIONS) + " |",
        "|---|" + "---|" * len(OPERATIONS),
    ]
    for kind in KINDS:
        cells = [ratios.get(f"{kind}, {operation}") for operation in OPERATIONS]
        if any(cell is not None for cell in cells):
            lines.append(f"| {kind} | " + " | ".join("" if cell is None else f"{cell:.2f}" for cell in cells) + " |")
    return lines


def livekit(rows: list[dict[str, object]]) -> list[str]:
    """Packets a second and CPU per packet, in times of livekit.rtc."""
    table: dict[str, dict[object, object]] = {}
    for row in rows:
        if row["bench"] == "livekit" and row["baseline_name"] == "livekit.rtc" and "rooms" not in str(row["case"]):
            table.setdefault(str(row["case"]), {})[row["unit"]] = row["ratio"]
    if not table:
        return []
    lines = ["", "| LiveKit, beside `livekit.rtc` | packets/s | CPU per packet |", "|---|---|---|"]
    for case, ratios in table.items():
        lines.append(f"| {case} | {ratios['packets/s']:.1f}x | {ratios['us CPU/packet']:.2f}x |")
    return lines


def main() -> None:
    document = json.loads((ROOT / "benchmarks" / "results" / "latest.json").read_text())
    made = ", ".join(f"{name} {version}" for name, version in document["with"].items())
    text = [
        BEGIN,
        "Codec: our time in times of protobuf's C runtime (upb) doing the same, medians of rounds that take turns in one process; below 1 is",
        "faster. upb's `decode` reads no field; `decode+read` reads every one on both sides.",
        "",
        *codec(document["rows"]),
        *livekit(document["rows"]),
        "",
        f"Measured {document['made']} with {made}, on two noisy shared cores: trust the ratios, not the times. `make bench` repeats it.",
        END,
    ]
    readme = ROOT / "README.md"
    before, begin, rest = readme.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"README.md has no {BEGIN} ... {END}")
    readme.write_text(before + "\n".join(text) + after)


if __name__ == "__main__":
    main()
