"""Write README's table of speed from benchmarks/results/latest.json (``make bench``): ``make bench-readme``.

Each section has its own line of where and when it was measured; one that the results have no rows for stays as it is.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

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
LOST = 0.9
OPERATIONS = ("encode", "decode", "decode+read", "peek", "encode from arguments", "twin: decode+read")


def codec(rows: list[dict[str, object]]) -> list[str]:
    """Time of ours in times of protobuf's C runtime, by kind and operation."""
    ratios = {row["case"]: row["ratio"] for row in rows if row["bench"] == "codec"}
    if not ratios:
        return []
    lines = [
        "Codec: our time in times of protobuf's C runtime (upb) doing the same, medians of rounds that take turns in one process; below 1 is",
        "faster. upb's `decode` reads no field; `decode+read` reads every one on both sides.",
        "",
        "| packet | " + " | ".join(name.replace("twin: ", "pure Python: ") for name in OPERATIONS) + " |",
        "|---|" + "---|" * len(OPERATIONS),
    ]
    for kind in KINDS:
        cells = [ratios.get(f"{kind}, {operation}") for operation in OPERATIONS]
        if any(cell is not None for cell in cells):
            lines.append(f"| {kind} | " + " | ".join("" if cell is None else f"{cell:.2f}" for cell in cells) + " |")
    return lines


KINDS_OF_OURS = ("native, asyncio", "native, trio", "ctypes, asyncio", "ctypes, trio", "rtc-node")
ROOMS = ("ms late, p50", "ms late, p99", "us CPU/delivery", "MB a room")


def livekit(rows: list[dict[str, Any]]) -> list[str]:
    """Packets a second and CPU per packet, in times of livekit.rtc; then many rooms in one process."""
    table: dict[str, dict[tuple[str, str], float]] = {}
    rooms: dict[str, dict[str, str]] = {}
    for row in rows:
        if row["bench"] != "livekit" or row["baseline_name"] != "livekit.rtc":
            continue
        case, _, kind = row["case"].partition(" in flight, ")
        if kind and not _lost(row):
            table.setdefault(case + " in flight", {})[kind, row["unit"]] = row["ratio"]
        elif not kind:
            what = f"{_three(row['ours'])} / {_three(row['baseline'])}"
            rooms.setdefault(row["case"].partition(" rooms")[0], {})[row["unit"]] = what
    if not table:
        return []
    lines = [
        "LiveKit: packets/s / CPU per packet, both in times of the public SDK, `livekit.rtc`; the native callback is the usual one. Packets",
        "of 14 KiB are bound by the network.",
        "",
        "| packets | asyncio | trio | asyncio, ctypes' callback | trio, ctypes' callback | npm `rtc-node` |",
        "|---|" + "---|" * len(KINDS_OF_OURS),
    ]
    for case, ratios in table.items():
        cells = [
            f"{ratios[kind, 'packets/s']:.1f}x / {ratios[kind, 'us CPU/packet']:.2f}x"
            if (kind, "us CPU/packet") in ratios
            else ""
            for kind in KINDS_OF_OURS
        ]
        lines.append(f"| {case} | " + " | ".join(cells) + " |")
    lines += ["", "| rooms in one process, 20 packets/s into each: ours / `livekit.rtc` | " + " | ".join(ROOMS) + " |"]
    lines.append("|---|" + "---|" * len(ROOMS))
    for count, cells in rooms.items():
        lines.append(f"| {count} | " + " | ".join(cells.get(unit, "") for unit in ROOMS) + " |")
    return lines


def _three(value: float) -> str:
    """With three digits."""
    return f"{value:.3g}" if abs(value) < 1_000 else f"{value:.0f}"  # noqa: PLR2004 - what %g writes as a power


def _lost(row: dict[str, Any]) -> bool:
    """Whether so many packets did not arrive that their rate says nothing."""
    rounds = row.get("delivered", [])
    return (
        sorted(min(ours, theirs) / count for ours, theirs, count in rounds)[len(rounds) // 2] < LOST
        if rounds
        else False
    )


SECTIONS = {"codec": codec, "livekit": livekit}


def section(name: str, document: dict[str, Any], old: str) -> str:
    """Its lines, or what stands in README where the results have no rows for it."""
    begin = f"<!-- {name} -->"
    lines = SECTIONS[name](document["rows"])
    if not lines:
        kept = old.partition(begin)[2].partition("<!-- ")[0].strip()
        return f"{begin}\n{kept}\n" if kept else ""
    made = ", ".join(f"{package} {version}" for package, version in document["with"].items())
    note = f"Measured {document['made']} with {made}, on two noisy shared cores: trust the ratios, not the times."
    return "\n".join([begin, *lines, "", f"{note} `make bench ONLY={name}` repeats it.", ""])


def main() -> None:
    document = json.loads((ROOT / "benchmarks" / "results" / "latest.json").read_text())
    readme = ROOT / "README.md"
    before, begin, rest = readme.read_text().partition(BEGIN)
    old, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"README.md has no {BEGIN} ... {END}")
    parts = [section(name, document, old) for name in SECTIONS]
    readme.write_text(before + "\n".join([BEGIN, "\n".join(filter(None, parts)) + END]) + after)


if __name__ == "__main__":
    main()
