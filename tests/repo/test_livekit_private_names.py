"""One module touches the wheel's private side, and whatever of its messages we use is in the table that it checks."""

from __future__ import annotations

import ast
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIVEKIT = ROOT / "drivers/dcl_comms_drivers/livekit"
FFI = LIVEKIT / "engine/ffi.py"
OURS = [
    path
    for folder in ("dcl_comms_core", "drivers", "station", "examples", "benchmarks")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
ENGINE = sorted({*LIVEKIT.glob("*.py"), *(LIVEKIT / "engine").glob("*.py")})
"""What reads the engine's messages; ``sdk/`` reads what the SDK makes of them."""
PRIVATE_MODULES = ("_ffi_client", "_proto", "_utils")


def private_uses(tree):
    """Every import of a private module of livekit, and every private name asked of one that was imported."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "livekit":
                    names.add((alias.asname or alias.name).split(".")[0])
                    if any(part.startswith("_") for part in alias.name.split(".")):
                        yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "livekit":
            for alias in node.names:
                names.add(alias.asname or alias.name)
                whole = f"{node.module}.{alias.name}"
                if any(part.startswith("_") and not part.startswith("__") for part in whole.split(".")):
                    yield node.lineno, whole
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("livekit.rtc._"):
            yield node.lineno, node.value
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            whole = ast.unparse(node.value)
            if (
                node.attr in PRIVATE_MODULES
                or whole.split(".")[0] in names
                or whole in {"room", "publication", "track", "native"}
            ):
                yield node.lineno, f"{whole}.{node.attr}"


def test_only_one_module_touches_private_names():
    found = {
        str(path.relative_to(ROOT)): uses
        for path in OURS
        if (uses := sorted(set(private_uses(ast.parse(path.read_text())))))
    }
    assert set(found) == {str(FFI.relative_to(ROOT))}, found


@pytest.mark.parametrize(
    "text",
    [
        "import livekit.rtc._ffi_client",
        "from livekit.rtc import _proto",
        "from livekit.rtc._proto import room_pb2",
        "from livekit import rtc\nrtc._ffi_client",
        "import livekit.rtc\nlivekit.rtc._utils.Queue",
        "import importlib\nimportlib.import_module('livekit.rtc._proto')",
    ],
)
def test_each_way_to_touch_them_is_seen(text):
    assert list(private_uses(ast.parse(text)))


# -- the table


class Uses(ast.NodeVisitor):
    """Chains of names as they stand in a module, with local names replaced by what was assigned to them."""

    def __init__(self):
        self.known = {}
        self.pairs = set()

    def visit_FunctionDef(self, node):
        before, self.known = self.known, dict(self.known)
        self.generic_visit(node)
        self.known = before

    def visit_Assign(self, node):
        self.visit(node.value)
        chain = self.chain(node.value)
        for target in node.targets:
            self.visit(target)
            if isinstance(target, ast.Name) and chain:
                self.known[target.id] = chain

    def visit_For(self, node):
        chain = self.chain(node.iter)
        if isinstance(node.target, ast.Name) and chain:
            self.known[node.target.id] = chain
        self.generic_visit(node)

    def visit_Attribute(self, node):
        chain = self.chain(node)
        self.pairs |= set(pairwise(chain))
        self.generic_visit(node)

    def chain(self, node):
        if isinstance(node, ast.Name):
            return self.known.get(node.id, ())  # of a parameter the name says nothing
        if isinstance(node, ast.Attribute):
            return (*self.chain(node.value), node.attr)
        return ()


def uses(tree):
    visitor = Uses()
    visitor.visit(tree)
    return visitor.pairs


def schema():
    """Message name -> field name -> name of the field's message, or None; of the installed wheel."""
    from dcl_comms_drivers.livekit.engine.ffi import FfiEvent

    pool = FfiEvent.DESCRIPTOR.file.pool
    found = {}

    def take(message):
        if message.full_name in found:
            return
        found[message.full_name] = {f.name: f.message_type and f.message_type.full_name for f in message.fields}
        for field in message.fields:
            if field.message_type is not None:
                take(field.message_type)

    for name in ("FfiRequest", "FfiResponse", "FfiEvent"):
        take(pool.FindMessageTypeByName(f"livekit.proto.{name}"))
    return {
        name.removeprefix("livekit.proto."): {f: t and t.removeprefix("livekit.proto.") for f, t in fields.items()}
        for name, fields in found.items()
    }


def unchecked(tree, messages, table):
    """Fields that are read or written after a field that holds a message, and are in no such message of the table."""
    for first, second in sorted(uses(tree)):
        holders = {fields[first] for fields in messages.values() if fields.get(first)}
        fitting = {message for message in holders if second in messages[message]}
        if fitting and not any(second in table.get(message, "").split() for message in fitting):
            yield f"{first}.{second} ({' or '.join(sorted(fitting))})"


def test_every_field_that_is_used_is_looked_up():
    from dcl_comms_drivers.livekit.engine.ffi import FIELDS

    messages = schema()
    missing = {
        path.name: found for path in ENGINE if (found := list(unchecked(ast.parse(path.read_text()), messages, FIELDS)))
    }
    assert not missing


def test_every_kind_of_event_that_is_told_apart_is_looked_up():
    from dcl_comms_drivers.livekit.engine.ffi import FIELDS

    messages = schema()
    kinds = {*messages["FfiEvent"], *messages["RoomEvent"], *messages["FfiRequest"]}
    looked_up = set(" ".join(FIELDS[name] for name in ("FfiEvent", "RoomEvent", "FfiRequest")).split())
    missing = {
        f"{path.name}: {node.value}"
        for path in ENGINE
        if path.name != "readings.py"  # which takes what there is
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in kinds - looked_up
    }
    assert not missing


def test_an_unchecked_field_is_found():
    tree = ast.parse("def f(event):\n    change = event.track_published\n    return change.publication.info.sid")
    checked = {"TrackPublished": "publication", "OwnedTrackPublication": "info", "TrackPublicationInfo": "sid"}
    assert not list(unchecked(tree, schema(), checked))
    for message, name in checked.items():
        (found,) = unchecked(tree, schema(), {**checked, message: "another"})
        assert f".{name} (" in found
        assert message in found


def test_the_versions_are_those_that_the_package_allows():
    import tomllib

    from dcl_comms_drivers.livekit.engine.ffi import TRIED

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert extras["livekit"] == [f"livekit>={TRIED[0]},<{TRIED[1]}"]
