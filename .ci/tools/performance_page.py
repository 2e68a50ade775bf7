"""Write docs/performance.md's tables from benchmarks/results/latest.json (``make bench``): ``make bench-page``.

Each section has its own line of where and when it was measured; one that the results have no rows for stays as it is.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from generated import ROOT

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- speed: made by `make bench-page` -->", "<!-- /speed -->"
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


KINDS_OF_OURS = {
    "rtc, asyncio": "our engine, asyncio",
    "rtc, trio": "our engine, trio",
    "native, asyncio": "the wheel's, asyncio",
    "native, trio": "the wheel's, trio",
    "rtc-node": "npm `rtc-node`",
}
OVER = {"rtc, asyncio": "our engine", "native, asyncio": "the wheel's"}
PER_PACKET = {64: ("packets/s", "us CPU/packet"), 1: ("us round trip", "us CPU/trip")}
ROOMS = ("ms late, p50", "ms late, p99", "us CPU/delivery", "MB a room", "threads", "descriptors a room")


def livekit(rows: list[dict[str, Any]]) -> list[str]:
    """Packets a second, or the round trip, and CPU, in times of livekit.rtc; then many rooms in one process."""
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
            count, _, over = case.partition(" rooms, 20/s, ")
            rooms.setdefault(f"{count}, {OVER[over]}", {})[row["unit"]] = what
    if not table:
        return []
    lines = [
        "LiveKit, in times of the public SDK, `livekit.rtc`: packets/s / CPU per packet with 64 in flight; with one, the time to the other",
        "application and back / CPU for that.",
        "",
        "| packets | " + " | ".join(KINDS_OF_OURS.values()) + " |",
        "|---|" + "---|" * len(KINDS_OF_OURS),
    ]
    for case, ratios in table.items():
        first, second = PER_PACKET[1 if case.endswith(" 1 in flight") else 64]
        cells = [
            f"{_ratio(ratios[kind, first])}x / {ratios[kind, second]:.3f}x" if (kind, second) in ratios else ""
            for kind in KINDS_OF_OURS
        ]
        lines.append(f"| {case} | " + " | ".join(cells) + " |")
    lines += ["", "| rooms in one process, 20 packets/s into each: ours / `livekit.rtc` | " + " | ".join(ROOMS) + " |"]
    lines.append("|---|" + "---|" * len(ROOMS))
    for count, cells in rooms.items():
        lines.append(f"| {count} | " + " | ".join(cells.get(unit, "") for unit in ROOMS) + " |")
    return lines


def rooms(rows: list[dict[str, Any]]) -> list[str]:
    """A thousand rooms in one process, beside what may be."""
    found = [row for row in rows if row["bench"] == "rooms"]
    if not found:
        return []
    lines = [
        "A thousand connections to LiveKit rooms in one process, over our own engine: all join, say nothing for a while, and then each hears",
        "and says a packet a second.",
        "",
        "| what | measured | beside |",
        "|---|---|---|",
    ]
    lines += [
        f"| {row['unit']} | {_three(row['ours'])} | {_three(row['baseline'])}, {row['baseline_name']} |"
        for row in found
    ]
    return lines


def _ratio(value: float) -> str:
    return f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def _three(value: float) -> str:
    """With three digits."""
    return f"{value:.3g}" if abs(value) < 1_000 else f"{value:.0f}"  # noqa: PLR2004 - what %g writes as a power


def _lost(row: dict[str, Any]) -> bool:
    """Whether so many packets did not arrive that their rate says nothing."""
    rounds = row.get("delivered", [])
    return sorted(min(ours, theirs) for ours, theirs in rounds)[len(rounds) // 2] < LOST if rounds else False


def unused(rows: list[dict[str, Any]]) -> list[str]:
    """Time of a packet with something used or not, by what it is and how many packets a turn has."""
    table: dict[str, dict[str, float]] = {}
    for row in rows:
        if row["bench"] == "unused":
            what, _, per_turn = row["case"].removesuffix(" a turn").rpartition(", ")
            table.setdefault(what, {})[per_turn] = row["ratio"]
    if not table:
        return []
    lines = [
        "What is beside the packets: the thread's time for a scene's message from the link to the application, with it in times of without it.",
        "",
        "| with | one packet a turn | 64 a turn |",
        "|---|---|---|",
    ]
    for what, ratios in table.items():
        cells = [f"{ratios[per_turn]:.2f}" if per_turn in ratios else "" for per_turn in ("1", "64")]
        lines.append(f"| {what} | " + " | ".join(cells) + " |")
    return lines


def server(rows: list[dict[str, Any]]) -> list[str]:
    """Rooms of a server of our own beside livekit-server's."""
    found = [row for row in rows if row["bench"] == "server"]
    if not found:
        return []
    lines = [
        "A room server of our own beside livekit-server: the same clients, which do no more than they must, rooms and sizes at both, in",
        "turns. A packet is one that arrived: what one says in a room of 20 arrives 19 times.",
        "",
        "| rooms | what | ours | the other | ratio |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['case']} | {row['unit']} | {_three(row['ours'])} | {_three(row['baseline'])}, {row['baseline_name']} | {row['ratio']:.2f} |"
        for row in found
    ]
    return lines


SECTIONS = {"codec": codec, "livekit": livekit, "rooms": rooms, "server": server, "unused": unused}


def section(name: str, document: dict[str, Any], old: str) -> str:
    """Its lines, or what stands in the page where the results have no rows for it."""
    begin = f"<!-- {name} -->"
    lines = SECTIONS[name](document["rows"])
    if not lines:
        kept = old.partition(begin)[2].partition("<!-- ")[0].strip()
        return f"{begin}\n{kept}\n" if kept else ""
    made = ", ".join(f"{package} {version}" for package, version in document["with"].items())
    note = f"Measured {document['made']} with {made}, on two noisy shared cores: trust the ratios, not the times."
    return "\n".join([begin, *lines, "", f"{note} `make bench ONLY={name}` repeats it.", ""])


def page(document: dict[str, Any], old: str) -> str:
    """The page with the tables of these results."""
    before, begin, rest = old.partition(BEGIN)
    tables, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"docs/performance.md has no {BEGIN} ... {END}")
    parts = [section(name, document, tables) for name in SECTIONS]
    return before + "\n".join([BEGIN, "\n".join(filter(None, parts)) + END]) + after


if __name__ == "__main__":
    results = json.loads((ROOT / "benchmarks" / "results" / "latest.json").read_text())
    PAGE.write_text(page(results, PAGE.read_text()))
