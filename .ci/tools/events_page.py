"""docs/events.md: every event by family, from the docstrings of its class and fields; ``--check`` fails where they differ."""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING, get_args

from docstrings import Said, cell, fields_of, members, paragraphs
from generated import ROOT, keep

from dcl_comms_core import events as e
from dcl_comms_core.peers import Arrival
from dcl_comms_core.states import CloseReason, Retry

if TYPE_CHECKING:
    from enum import Enum

PAGE = ROOT / "docs" / "events.md"
WIDTH = 150

HEAD = """# Events

<!-- Made by .ci/tools/events_page.py from the docstrings in dcl_comms_core/events.py and packets/events.py: change them there. -->

What an application is told: by `async for event in room`, `room.batches()`, `poll()` of a polled connection, `session.events()` of the core. How to wait for one:
[listening.md](listening.md); as JSON, and filters over them: [records.md](records.md). The classes are in `dcl_comms_core`.

Every event has
"""

FAMILIES: dict[str, tuple[type, ...]] = {
    "A room": (
        e.RoomOpened,
        e.RoomClosed,
        e.Reconnecting,
        e.Reconnected,
        e.PermissionsChanged,
        e.RoomMetadataChanged,
        e.RoomMoved,
        e.Kicked,
        e.CredentialsNeeded,
        e.SignatureNeeded,
    ),
    "A realm": (e.RealmOpened, e.IslandChanged, e.RealmClosed, e.WorldClosed),
    "Peers": (e.PeerJoined, e.PeerLeft, e.PeerUpdated, e.PeerIdentified, e.PeerIgnored),
    "What peers say and do": (
        e.ChatReceived,
        e.PeerMoved,
        e.PeerEmoted,
        e.ReactionReceived,
        e.ProfileAnnounced,
        e.ProfileReceived,
        e.ProfileRequested,
        e.SceneMessageReceived,
        e.VoiceReceived,
        e.PacketReceived,
        e.PacketRejected,
    ),
    "Tracks": (
        e.TrackPublished,
        e.TrackUnpublished,
        e.TrackSubscribed,
        e.TrackUnsubscribed,
        e.TrackSubscriptionFailed,
        e.TrackMuted,
        e.OwnTrackEnded,
        e.SpeakersChanged,
    ),
    "Notices": (e.LimitReached, e.Warning),
}
INTROS = {"What peers say and do": "All of these also have", "Tracks": "Those with a track also have"}
"""Families whose events share fields."""
WORDS: tuple[type[Enum], ...] = (e.WarningCode, Arrival, e.MovementKind, e.RejectReason, CloseReason, Retry)


def base(kind: type) -> type:
    """The class that an event shares fields with."""
    return kind.__mro__[1]


def shared(kind: type) -> list[Said]:
    """The fields of that class, but for those that every event has."""
    every = {said.name for said in fields_of(base(e.RoomOpened))}
    return [said for said in fields_of(base(kind)) if said.name not in every]


def fields_shown(kind: type, said: list[Said]) -> list[str]:
    """A line for each.  Exits with 1 where one has no docstring."""
    for one in said:
        if not one.text:
            sys.exit(f"{kind.__name__}.{one.name} has no docstring")
    return [
        textwrap.fill(
            f"* `{one.name}: {one.kind}`{f' = `{one.default}`' if simple(one) else ''}: {one.text}",
            WIDTH,
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for one in said
    ]


def simple(one: Said) -> bool:
    """Whether a default is worth a word; what ``field(...)`` makes is not."""
    return bool(one.default) and "(" not in one.default


def event(kind: type) -> list[str]:
    """Its section."""
    text = "\n\n".join(textwrap.fill(part, WIDTH, break_on_hyphens=False) for part in paragraphs(kind))
    own = fields_of(kind)
    return [f"### {kind.__name__}", "", text, *(["", *fields_shown(kind, own)] if own else []), ""]


def page() -> str:
    told = [kind for family in FAMILIES.values() for kind in family]
    if missing := {kind.__name__ for kind in get_args(e.Event)} ^ {kind.__name__ for kind in told}:
        sys.exit(f"FAMILIES in .ci/tools/events_page.py: {', '.join(sorted(missing))}")
    lines = [HEAD, *fields_shown(e.RoomOpened, fields_of(base(e.RoomOpened))), ""]
    for family, kinds in FAMILIES.items():
        lines += [f"## {family}", ""]
        if family in INTROS:
            lines += [INTROS[family], "", *fields_shown(kinds[0], shared(kinds[0])), ""]
        for kind in kinds:
            lines += event(kind)
    for words in WORDS:
        lines += [f"## {words.__name__}", "", " ".join(paragraphs(words)).replace(":data:`RETRY`", "`RETRY`"), ""]
        lines += ["| member | means |", "|---|---|"]
        lines += [f"| `{one.name}` | {cell(one.text)} |" for one in members(words)]
        lines.append("")
    return "\n".join(lines[:-1]) + "\n"


if __name__ == "__main__":
    keep(PAGE, page())
