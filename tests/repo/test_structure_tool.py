"""Whatever breaks a rule of the house is found: each is planted in a small tree of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import structure
from classes import Classes

ROOT = Path(__file__).parents[2]
TOOL = ROOT / ".ci/tools/structure.py"
CORE, DRIVERS = "dcl_comms_core", "drivers/dcl_comms_drivers"
UNDER_TYPES = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    "

TABLE = """# Architecture

| where | what | imports, of its own tree |
|---|---|---|
| `core/errors.py` | every exception |  |
| `core/tools/` | small things without any protocol in them | errors |
| `core/room/` | one room over any transport: `outgoing/`, `incoming/` | errors, tools |
| `core/enet/` | *to come*: the older transport | errors, room |
| `drivers/loops/` | what a driver needs of an event loop |  |
| `drivers/polled.py` | `open` on any other loop | loops |
"""

GOOD = {
    "ARCHITECTURE.md": TABLE,
    f"{CORE}/__init__.py": f"from {CORE}.errors import Wrong\nfrom {CORE}.room import Session\n",
    f"{CORE}/errors.py": "class Wrong(Exception):\n    pass\n",
    f"{CORE}/tools/__init__.py": "",
    f"{CORE}/tools/dates.py": f"from {CORE} import errors\n",
    f"{CORE}/room/__init__.py": f"from {CORE}.room.session import Session\n",
    f"{CORE}/room/session.py": f"from {CORE}.errors import Wrong\nfrom {CORE}.room.outgoing import outbox\nfrom {CORE}.tools import dates\nclass Session:\n    pass\n",
    f"{CORE}/room/outgoing/__init__.py": "",
    f"{CORE}/room/outgoing/outbox.py": "",
    f"{DRIVERS}/__init__.py": "",
    f"{DRIVERS}/loops/__init__.py": "",
    f"{DRIVERS}/loops/pump.py": f"from {CORE}.room import Session\n",
    f"{DRIVERS}/polled.py": "from dcl_comms_drivers.loops.pump import Session\n",
    "benchmarks/run.py": "import pairs\n",
    "benchmarks/pairs.py": f"import {CORE}\n",
}


@pytest.fixture
def tree(tmp_path):
    """Makes a tree that keeps every rule, with these files in place of its own, or after them where they begin with +."""

    def make(changes=None):
        for path, text in {**GOOD, **(changes or {})}.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(GOOD.get(path, "") + text[1:] if text.startswith("+") else text)
        return structure.Checkout.of(tmp_path)

    return make


def test_a_tree_that_keeps_the_rules_has_nothing_to_tell(tree):
    assert structure.check(tree()) == []


def test_the_rows_are_read(tree):
    rows = {row.where: row for row in tree().rows}
    assert list(rows) == [
        "core/errors.py",
        "core/tools/",
        "core/room/",
        "core/enet/",
        "drivers/loops/",
        "drivers/polled.py",
    ]
    assert rows["core/room/"].allowed == ("errors", "tools")
    assert rows["core/errors.py"].allowed == ()
    assert [row.where for row in rows.values() if row.to_come] == ["core/enet/"]


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        (f"import {CORE}.room.session", "run"),
        (f"def f():\n    from {CORE}.room import session", "lazy"),
        (f"async def f():\n    import {CORE}.room.session", "lazy"),
        (f"class A:\n    def f(self):\n        import {CORE}.room.session", "lazy"),
        (f"{UNDER_TYPES}from {CORE}.room.session import Session", "types"),
        (f"import typing\nif typing.TYPE_CHECKING:\n    import {CORE}.room.session", "types"),
        (f"def f():\n    if TYPE_CHECKING:\n        import {CORE}.room.session", "types"),
        (f"if TYPE_CHECKING:\n    pass\nelse:\n    import {CORE}.room.session", "run"),
        (f"try:\n    import {CORE}.room.session\nexcept ImportError:\n    pass", "run"),
        ("from ..room import session", "run"),
        ("from ..room.session import Session", "run"),
        (f"from importlib import import_module\ndef f():\n    import_module('{CORE}.room.session')", "lazy"),
    ],
)
def test_an_import_counts_wherever_it_stands(tree, statement, kind):
    checkout = tree({f"{CORE}/tools/late.py": statement + "\n"})
    (edge,) = (edge for edge in checkout.edges if edge.source == f"{CORE}/tools/late.py")
    assert (edge.target, edge.kind) == (f"{CORE}/room/session.py", kind)
    (told,) = structure.forbidden(checkout)
    assert told.startswith(f"{CORE}/tools/late.py:{edge.line} imports {CORE}/room/session.py ({kind})")


def test_a_name_that_is_no_module_is_of_the_packages_face(tree):
    checkout = tree({f"{CORE}/tools/late.py": f"from {CORE}.room import Session, session\n"})
    assert [edge.target for edge in checkout.edges if edge.source == f"{CORE}/tools/late.py"] == [
        f"{CORE}/room/__init__.py",
        f"{CORE}/room/session.py",
    ]


def test_an_import_that_no_row_allows_is_found(tree):
    checkout = tree({f"{DRIVERS}/loops/pump.py": "from dcl_comms_drivers import polled\n"})
    (told,) = structure.forbidden(checkout)
    assert "drivers/loops/" in told


def test_a_permission_that_nothing_uses_is_found(tree):
    checkout = tree({f"{CORE}/tools/dates.py": ""})
    assert list(structure.idle(checkout)) == ["core/tools/ may import errors, and does not"]


def test_a_permission_for_what_is_not_there_is_found(tree):
    checkout = tree({"ARCHITECTURE.md": TABLE.replace("| errors, tools |", "| errors, tools, ghosts |")})
    assert list(structure.idle(checkout)) == ["core/room/ may import ghosts, and does not"]


@pytest.mark.parametrize("path", ["codec/__init__.py", "limits.py"])
def test_a_package_or_module_without_a_row_is_found(tree, path):
    checkout = tree({f"{CORE}/{path}": ""})
    assert list(structure.homeless(checkout)) == [
        f"core/{path.removesuffix('__init__.py')} has no row in ARCHITECTURE.md"
    ]


def test_without_a_table_everything_is_without_a_row(tree):
    assert len(list(structure.homeless(tree({"ARCHITECTURE.md": ""})))) == 5


def test_a_row_without_a_package_is_found(tree):
    checkout = tree({"ARCHITECTURE.md": TABLE + "| `core/codec/` | messages to bytes and back |  |\n"})
    assert list(structure.empty(checkout)) == ["core/codec/ has a row and is not there"]


def test_a_row_of_what_is_inside_a_package_is_found(tree):
    checkout = tree({"ARCHITECTURE.md": TABLE + "| `core/room/outgoing/` | what goes out |  |\n"})
    assert list(structure.empty(checkout)) == ["core/room/outgoing/ has a row and is not there"]


def test_a_row_of_another_table_is_none(tree):
    checkout = tree({"ARCHITECTURE.md": TABLE + "\n| `core/room` | 12 lines | a dataclass |\n"})
    assert len(checkout.rows) == 6


def test_a_module_that_became_a_package_needs_another_row(tree):
    checkout = tree({"ARCHITECTURE.md": TABLE.replace("core/tools/", "core/tools.py")})
    assert list(structure.empty(checkout)) == ["core/tools.py has a row and is not there"]
    assert list(structure.homeless(checkout)) == ["core/tools/ has no row in ARCHITECTURE.md"]


def test_two_rows_of_one_package_are_found(tree):
    checkout = tree({"ARCHITECTURE.md": TABLE + "| `core/errors.py` | again |  |\n"})
    assert list(structure.empty(checkout)) == ["core/errors.py has 2 rows"]


def test_a_shelf_whose_package_has_come_is_found(tree):
    checkout = tree({f"{CORE}/enet/__init__.py": ""})
    assert list(structure.empty(checkout)) == ["core/enet/ is there: its row still says *to come*"]


def test_a_shelf_that_will_import_what_has_no_row_is_found(tree):
    checkout = tree({"ARCHITECTURE.md": TABLE.replace("| errors, room |", "| errors, rooms |")})
    assert list(structure.empty(checkout)) == ["core/enet/ may import rooms, which has no row"]


def test_an_arrow_up_is_found_though_no_files_are_in_a_circle(tree):
    checkout = tree({f"{CORE}/tools/late.py": f"{UNDER_TYPES}from {CORE}.room.outgoing import outbox\n"})
    found = list(structure.upwards(checkout))
    assert len(found) == 2, "both of the circle's arrows"
    assert found[1].startswith(f"{CORE}/tools/late.py:3 imports {CORE}/room/outgoing/outbox.py (types)")
    assert list(structure.knots(checkout)) == []


def test_an_arrow_up_inside_a_package_is_found(tree):
    changes = {
        f"{CORE}/room/a/one.py": f"import {CORE}.room.b.two\n",
        f"{CORE}/room/b/two.py": "",
        f"{CORE}/room/b/three.py": f"import {CORE}.room.a.four\n",
        f"{CORE}/room/a/four.py": "",
    }
    found = list(structure.upwards(tree(changes)))
    assert len(found) == 2
    assert all(line.endswith(f"a circle of rooms of {CORE}/room") for line in found)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (f"{CORE}/errors.py", "import dcl_comms_drivers.polled\n"),
        (f"{CORE}/errors.py", f"{UNDER_TYPES}from dcl_comms_station import entry\n"),
        (f"{CORE}/errors.py", "import fuzz.run\n"),
        (f"{DRIVERS}/polled.py", "+from dcl_comms_station.entry import main\n"),
    ],
)
def test_an_import_of_a_layer_above_is_found(tree, path, text):
    changes = {"station/dcl_comms_station/entry.py": "", "fuzz/run.py": "", path: text}
    (told,) = structure.upwards(tree(changes))
    assert "stands above" in told


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (f"{CORE}/errors.py", f"from {CORE} import Session\n"),
        (f"{CORE}/room/outgoing/outbox.py", f"{UNDER_TYPES}from {CORE}.room import Session\n"),
        (f"{CORE}/room/outgoing/outbox.py", f"import {CORE}\n"),
        (f"{CORE}/room/session.py", f"+def f():\n    from {CORE}.room import Other\n"),
    ],
)
def test_an_import_of_the_face_above_is_found(tree, path, text):
    (told,) = structure.to_faces(tree({path: text}))
    assert told.startswith(path)


@pytest.mark.parametrize(
    ("back", "kind"),
    [
        ("import {}.room.session\n", "run"),
        ("def f():\n    import {}.room.session\n", "lazy"),
        (UNDER_TYPES + "import {}.room.session\n", "types"),
    ],
)
def test_a_circle_of_files_is_found(tree, back, kind):
    checkout = tree({f"{CORE}/room/outgoing/outbox.py": back.format(CORE)})
    assert list(structure.knots(checkout)) == [
        f"a circle of 2 files ({kind}): {CORE}/room/outgoing/outbox.py, {CORE}/room/session.py"
    ]


def test_a_circle_by_types_there_and_back_is_found(tree):
    changes = {
        f"{CORE}/room/a.py": f"{UNDER_TYPES}import {CORE}.room.b\n",
        f"{CORE}/room/b.py": f"{UNDER_TYPES}import {CORE}.room.c\n",
        f"{CORE}/room/c.py": f"{UNDER_TYPES}import {CORE}.room.a\n",
    }
    (told,) = structure.knots(tree(changes))
    assert told.startswith("a circle of 3 files (types)")


def test_a_circle_among_benchmarks_is_found(tree):
    (told,) = structure.knots(tree({"benchmarks/pairs.py": "from run import show\n"}))
    assert told == "a circle of 2 files (run): benchmarks/pairs.py, benchmarks/run.py"


def test_a_face_that_shows_its_modules_is_in_no_circle(tree):
    checkout = tree({f"{CORE}/tools/__init__.py": f"from {CORE}.tools.dates import errors\n"})
    assert structure.check(checkout) == []


@pytest.mark.parametrize(
    "folder", [CORE, f"{CORE}/room", DRIVERS, "station/dcl_comms_station/demo", "tests/core", "benchmarks"]
)
def test_a_folder_of_21_modules_is_found(tree, folder):
    there = sum(path.rpartition("/")[0] == folder and not path.endswith("__init__.py") for path in GOOD)
    changes = {f"{folder}/module_{number}.py": "" for number in range(20 - there)}
    changes[f"{folder}/__init__.py"] = GOOD.get(f"{folder}/__init__.py", "")
    assert list(structure.crowded(tree(changes))) == []
    assert list(structure.crowded(tree({f"{folder}/another.py": ""}))) == [f"{folder} has 21 modules, more than 20"]


def test_rooms_floors_and_arrows_are_counted(tree):
    whole = tree().houses["core"]
    assert whole.rooms == {"errors.py", "tools/", "room/"}
    assert set(whole.arrows) == {("room/", "errors.py"), ("room/", "tools/"), ("tools/", "errors.py")}
    assert whole.floors == 3
    assert whole.up == []


def test_rooms_of_a_circle_stand_on_one_floor(tree):
    whole = tree({f"{CORE}/tools/dates.py": f"from {CORE} import errors\nimport {CORE}.room.session\n"}).houses["core"]
    assert whole.floors == 2
    assert whole.up == [("room/", "tools/"), ("tools/", "room/")]


def test_a_chain_of_classes_is_measured(tree):
    changes = {
        f"{CORE}/room/base.py": "class Base:\n    def __init__(self):\n        self._kept = self._mine = 1\n\n    def _hook(self):\n        return self._mine\n",
        f"{CORE}/room/session.py": f"from {CORE}.errors import Wrong\nfrom {CORE}.room.base import Base\nfrom {CORE}.tools import dates\nclass Session(Base):\n    def go(self):\n        return self._kept, self._hook()\n",
    }
    (chain,) = structure.chains(Classes(tree(changes).sources), "core")
    assert [one.name for one in chain.classes] == ["Base", "Session"]
    assert (chain.lines, chain.methods, chain.across) == (9, 3, 2)


def run(repo, *arguments):
    command = [sys.executable, TOOL, "--repo", repo, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_another_checkout_can_be_asked_for_its_figures(tree, tmp_path):
    tree()
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "core: 3 rooms, 3 floors, 3 arrows, 0 up\n" in done.stdout
    assert "circles of files, all kinds: 0" in done.stdout


def test_another_checkout_can_be_checked(tree, tmp_path):
    tree()
    assert run(tmp_path, "--check").returncode == 0
    tree({f"{CORE}/limits.py": ""})
    done = run(tmp_path, "--check")
    assert (done.returncode, done.stderr) == (1, "core/limits.py has no row in ARCHITECTURE.md\n")
