"""docs/settings.md: every keyword of ``connect``, from settings.py; ``--check`` fails where the two differ."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from enum import Enum

from dcl_comms_drivers import settings
from docstrings import Said, cell, fields_of, members, paragraphs
from generated import ROOT, keep

from dcl_comms_core.company.ignoring import Ignore
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.tools.backoff import Backoff
from dcl_comms_core.weather.away import Away

PAGE = ROOT / "docs" / "settings.md"

HEAD = """# Settings

<!-- Made by .ci/tools/settings_page.py from drivers/dcl_comms_drivers/settings.py: change it there. -->

What `connect(target, ...)`, `connect.forever(target, ...)`, `polled.open(target, ...)` and `bot.run(target, ...)` take as keywords, on every loop the same;
`run_bot(bot, settings={...})` takes them as a dict. A name that is none, or a value of another kind, is a `LocalProtocolError`. Where the target may
lead is [realm.md](realm.md); numbers that bound something are in `limits=`: [limits.md](limits.md).
"""

FAMILIES: dict[str, tuple[str, ...]] = {
    "Who we are": ("wallet", "guard", "is_guest", "profile", "profile_version", "silent"),
    "Where": ("position", "pulse", "secret", "realm_name", "gatekeeper", "heartbeat"),
    "Bad weather": ("timeout", "reconnect", "away", "limits"),
    "What is heard": ("subscribe", "ignore", "delivery", "on_full", "movement_codec", "seen"),
    "The way there": ("engine", "livekit", "plain", "tls"),
    "To look at": ("log", "tap", "journal"),
}
WORDS: tuple[type[Enum], ...] = (
    settings.Subscribe,
    settings.Delivery,
    settings.OnFull,
    Away,
    settings.LiveKitVia,
)
MADE: tuple[type, ...] = (Backoff, Ignore)
"""What a setting is made with, field by field."""


def defaults() -> dict[str, object]:
    """What holds where a setting is not given: the second argument of each ``settings.get`` in ``Options.of``."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(settings.Options.of)))
    found: dict[str, object] = dict.fromkeys(settings.Settings.__annotations__)
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="settings"), attr="get"),
                args=[ast.Constant(value=str(name)), value],
            ):
                found[name] = eval(ast.unparse(value), vars(settings))  # noqa: S307 - our own source
            case _:
                pass
    return found


def shown(value: object) -> str:
    """A default as a program would write it."""
    if value is DEFAULT_LIMITS:
        return "DEFAULT_LIMITS"
    return f"{type(value).__name__}.{value.name}" if isinstance(value, Enum) else in_double(repr(value))


def in_double(text: str) -> str:
    """With the quotes that our programs have."""
    return text.replace("'", '"')


def told(one: Said) -> str:
    """What it does.  Exits with 1 where that is not said."""
    if not one.text:
        sys.exit(f"{one.name} has no docstring")
    return cell(one.text)


def page() -> str:
    every = {one.name: one for one in fields_of(settings.Settings)}
    if missing := every.keys() ^ {name for family in FAMILIES.values() for name in family}:
        sys.exit(f"FAMILIES in .ci/tools/settings_page.py: {', '.join(sorted(missing))}")
    given = defaults()
    lines = [HEAD]
    for family, names in FAMILIES.items():
        lines += [f"## {family}", "", "| setting | takes | default | what it does |", "|---|---|---|---|"]
        for one in (every[name] for name in names):
            takes, default = cell(one.kind), cell(shown(given[one.name]))
            lines.append(f"| `{one.name}` | `{takes}` | `{default}` | {told(one)} |")
        lines.append("")
    for words in WORDS:
        lines += [f"## {words.__name__}", "", " ".join(paragraphs(words)), "", "| member | as text | means |"]
        lines += [
            "|---|---|---|",
            *(f"| `{one.name}` | `{in_double(one.kind)}` | {told(one)} |" for one in members(words)),
            "",
        ]
    for made in MADE:
        lines += [f"## {made.__name__}", "", " ".join(paragraphs(made)), "", "| field | default | means |"]
        lines += ["|---|---|---|"]
        lines += [
            f"| `{one.name}` | {f'`{one.default}`' if one.default else 'to be given'} | {told(one)} |"
            for one in fields_of(made)
        ]
        lines.append("")
    return "\n".join(lines[:-1]) + "\n"


if __name__ == "__main__":
    keep(PAGE, page())
