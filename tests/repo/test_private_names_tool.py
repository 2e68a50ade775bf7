"""Each way to use a private name of another is found, and each use of one's own is let through."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import private_names
import pytest
import sources
from private_names import Allowed

ROOT = Path(__file__).parents[2]
CORE = "dcl_comms_core"

BASE = """
class Base:
    shown: int
    _declared: int = 0
    __slots__ = ("_slot",)

    def __init__(self):
        self._kept = self._own()
        self._left, (self._right, *self._rest) = 1, (2, 3)

    def _own(self):
        return self._kept, self._declared, self._slot, self._left, self._right, self._rest, self._wide

    @property
    def _wide(self):
        return 1

    def _hook(self):
        raise NotImplementedError

    def go(self):
        self._hook()
"""


@pytest.fixture
def found(tmp_path):
    """What is told of these files, beside core/base.py with its class Base."""

    def check(files, allowed=()):
        for path, text in {f"{CORE}/__init__.py": "", f"{CORE}/base.py": BASE, **files}.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        checker = private_names.Checker(sources.read(tmp_path), allowed)
        told = checker.violations()
        return told, checker.idle()

    return check


def in_base(body):
    """A file of the core that knows Base."""
    return {f"{CORE}/other.py": f"from __future__ import annotations\nfrom {CORE}.base import Base\n\n{body}\n"}


OWN = {
    "self in a class's own methods": "class A:\n    def f(self):\n        self._x = 1\n        return self._x",
    "what another method makes": "class A:\n    def f(self):\n        return self._x\n    def g(self):\n        self._x = 1",
    "cls": "class A:\n    _all = {}\n    @classmethod\n    def f(cls):\n        return cls._all",
    "the class's own name": "class A:\n    _all = {}\n    def f(self):\n        return A._all",
    "another instance": "class A:\n    _x: int\n    def __eq__(self, other):\n        return isinstance(other, A) and self._x == other._x",
    "an instance that the class makes": "class A:\n    @classmethod\n    def f(cls):\n        new = cls.__new__(cls)\n        new._x = 1\n        return new",
    "a frozen dataclass": "class A:\n    def __init__(self):\n        object.__setattr__(self, '_x', 1)\n    def f(self):\n        return self._x",
    "a function in a method": "class A:\n    _x = 1\n    def f(self):\n        def g():\n            return self._x\n        return lambda: self._x + g()",
    "a hook of one's own": "class A(Base):\n    def _hook(self):\n        return 1\n    def f(self):\n        return self._hook()",
    "a function of one's own module": "def _f():\n    return 1\ndef g():\n    return _f()",
    "what named tuples have in public": "def f(row):\n    return row._replace(a=1)._asdict()",
    "what Python asks for": "class A(Base):\n    pass\nprint(A.__name__, A._missing_)",
}


@pytest.mark.parametrize("body", OWN.values(), ids=OWN)
def test_what_is_ones_own_may_be_used(found, body):
    assert found(in_base(body))[0] == []


USED = {
    "a base's attribute": ("class A(Base):\n    def f(self):\n        return self._kept", "Base._kept", private_names.BASES),
    "a base's method": ("class A(Base):\n    def f(self):\n        return self._own()", "Base._own", private_names.BASES),
    "a base's slot": ("class A(Base):\n    def f(self):\n        return self._slot", "Base._slot", private_names.BASES),
    "a base of a base": ("class A(Base):\n    pass\nclass B(A):\n    def f(self):\n        self._kept += 1", "Base._kept", private_names.BASES),
    "a base's attribute, set anew": ("class A(Base):\n    def f(self):\n        self._kept = 1", "Base._kept", private_names.BASES),
    "a base's hook that is not one's own": ("class A(Base):\n    def f(self):\n        self._hook()", "Base._hook", private_names.BASES),
    "a base's hook through super": ("class A(Base):\n    def _hook(self):\n        super()._hook()", "Base._hook", private_names.BASES),
    "a hook made data": ("class A(Base):\n    def f(self):\n        self._hook = print", "Base._hook", private_names.BASES),
    "a subclass's attribute": ("class A:\n    def f(self):\n        return self._x\nclass B(A):\n    _x = 1", "B._x", private_names.SUBCLASSES),
    "a sibling's attribute": ("class A:\n    def f(self):\n        return self._x\nclass B:\n    _x = 1\nclass C(A, B):\n    pass", "B._x", private_names.SUBCLASSES),
    "by a function beside it": ("class A:\n    _x = 1\ndef f(a: A):\n    return a._x", "A._x", private_names.FUNCTION),
    "by a function that knows no type": ("class A:\n    _x = 1\ndef f(a):\n    return a._x", "A._x", private_names.FUNCTION),
    "at the module's top": ("class A:\n    _x = 1\nprint(A._x)", "A._x", private_names.FUNCTION),
    "by another class": ("class A:\n    _x = 1\nclass B:\n    def f(self, a):\n        return a._x", "A._x", private_names.NEIGHBOUR),
    "by a nested class": ("class A:\n    _x = 1\n    class B:\n        def f(self, a: A):\n            return a._x", "A._x", private_names.NESTED),
    "by a class in a method": ("class A:\n    _x = 1\n    def f(self):\n        class B:\n            def g(me):\n                return self._x\n        return B", "A._x", private_names.NESTED),
    "of a nested class": ("class A:\n    class B:\n        _x = 1\n    def f(self, b: B):\n        return b._x", "B._x", private_names.NESTED),
    "of another module's class": ("def f(base: Base | None):\n    return base._kept", "Base._kept", private_names.ELSEWHERE),
    "of what was constructed": ("def f():\n    base = Base()\n    return base._kept", "Base._kept", private_names.ELSEWHERE),
    "of an attribute": ("class A:\n    def __init__(self, base: Base):\n        self.base = base\n    def f(self):\n        return self.base._kept", "Base._kept", private_names.ELSEWHERE),
    "of another's that has the same name": ("class A:\n    _kept = 1\n    def f(self, base: Base):\n        return base._kept", "Base._kept", private_names.ELSEWHERE),
    "by getattr": ("def f(base: Base):\n    return getattr(base, '_kept')", "Base._kept", private_names.ELSEWHERE),
    "by monkeypatch": ("def f(monkeypatch):\n    monkeypatch.setattr(Base, '_own', None)", "Base._own", private_names.ELSEWHERE),
    "by a patch of a path": (f"def f(mock):\n    mock.setattr('{CORE}.base.Base._own', None)", "Base._own", private_names.ELSEWHERE),
    "an imported name": (f"from {CORE}.base import _f", "_f", private_names.MODULES),
    "a module's name": (f"from {CORE} import base\nprint(base._f)", f"{CORE}.base._f", private_names.MODULES),
    "a private module": (f"import {CORE}._inner", "_inner", private_names.MODULES),
    "somebody else's": ("import sys\nprint(sys._getframe())", "sys._getframe", private_names.OTHERS),
    "somebody else's module": ("from livekit.rtc._proto import room_pb2", "_proto", private_names.OTHERS),
    "nobody's": ("def f(x):\n    return x._made_up", "x._made_up", private_names.OTHERS),
}  # fmt: skip


@pytest.mark.parametrize(("body", "name", "kind"), USED.values(), ids=USED)
def test_what_is_anothers_is_found(found, body, name, kind):
    files = in_base(body)
    (told,), _ = found({f"{CORE}/_inner.py": "", **files})
    assert (f"{told.owner}.{told.name}".strip("."), told.kind, told.path) == (name, kind, f"{CORE}/other.py")
    word = name.rpartition(".")[2]
    assert word in (files[told.path].splitlines())[told.line - 1]


def test_a_use_is_told_with_its_place(found):
    (told,), _ = found(in_base("class A(Base):\n    def f(self):\n        return self._kept"))
    assert str(told) == f"{CORE}/other.py:6 Base._kept used by A.f, made in {CORE}/base.py (made by a base)"


@pytest.mark.parametrize(
    "path",
    [
        "drivers/dcl_comms_drivers/polled.py",
        "station/dcl_comms_station/entry.py",
        "tests/core/test_base.py",
        "tests/rig.py",
        "benchmarks/run.py",
        "fuzz/run.py",
        "examples/echo.py",
    ],
)
def test_files_of_every_area_are_looked_at(found, path):
    (told,), _ = found({path: f"from {CORE}.base import Base\nprint(Base()._kept)\n"})
    assert (told.path, told.line) == (path, 2)


def test_a_class_that_a_face_hands_on_is_known(found):
    files = {f"{CORE}/__init__.py": f"from {CORE}.base import Base as Base\n"}
    (told,), _ = found(
        {
            **files,
            "tests/rig.py": f"from {CORE} import Base\nclass A(Base):\n    def f(self):\n        return self._kept\n",
        }
    )
    assert told.kind == private_names.BASES


def test_names_that_may_be_of_several_classes_say_so(found):
    others = {f"{CORE}/other_{number}.py": "class A:\n    _x = 1\n" for number in range(5)}
    (told,), _ = found({**others, "tests/rig.py": "def f(a):\n    return a._x\n"})
    assert (told.owner, told.kind) == ("a", private_names.ELSEWHERE)
    assert told.made_in.endswith("other_2.py or 2 more")


@pytest.mark.parametrize(
    "path", [f"{CORE}/codec/wire.py", f"{CORE}/proto/base.py", "drivers/dcl_comms_drivers/livekit/_native/make.py"]
)
def test_the_inside_of_messages_is_exempt(found, path):
    assert found({path: "def f(message):\n    return message._anything\n"})[0] == []


@pytest.mark.parametrize(("user", "uses"), [("tests/core/codec/test_wire.py", 0), ("tests/core/test_wire.py", 2)])
def test_who_tests_the_inside_of_messages_may_reach_into_it(found, user, uses):
    wire = "class Wire:\n    def __init__(self):\n        self._size = 1\n\ndef _text():\n    return 1\n"
    text = f"from {CORE}.codec.wire import Wire, _text\nprint(Wire()._size)\n"
    told, _ = found({f"{CORE}/codec/__init__.py": "", f"{CORE}/codec/wire.py": wire, user: text})
    assert len(told) == uses


def test_the_packages_of_native_and_generated_code_may_be_imported(found):
    text = f"from {CORE}.codec._native import _speedups\nfrom {CORE}.proto._gen.tables import TABLES\n"
    assert found({f"{CORE}/codec/_native/__init__.py": "", "tests/rig.py": text})[0] == []


def test_what_is_allowed_of_others_is_let_through_where_it_is_allowed(found):
    row = Allowed("tests/*", ("_getframe",), "only sys knows")
    text = "import sys\nsys._getframe()\n"
    assert found({"tests/core/rig.py": text}, (row,)) == ([], [])
    told, idle = found({"benchmarks/run.py": text}, (row,))
    assert [one.path for one in told] == ["benchmarks/run.py"]
    assert idle == []


def test_what_is_allowed_and_not_used_is_found(found):
    row = Allowed("tests/*", ("_getframe",), "only sys knows")
    assert found({}, (row,)) == ([], [row])


def test_every_allowed_name_has_a_reason():
    assert all(row.why and row.names for row in private_names.ALLOWED)


def test_the_command_tells_uses_and_totals(tmp_path, found):
    found(in_base("class A(Base):\n    def f(self):\n        return self._kept"))
    command = [sys.executable, ROOT / ".ci/tools/private_names.py", "--repo", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "Base._kept used by A.f" in done.stdout
    assert "folders: dcl_comms_core 1\nkinds: made by a base 1\n" in done.stdout
