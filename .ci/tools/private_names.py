"""Private names that are used outside of the class, or the module, that makes them: ``python .ci/tools/private_names.py [--repo DIR]``.

A private name (``_name``; not ``_``, ``_sunder_`` or ``__dunder__``) of an object is for the body of the class that makes it: on
``self`` and ``cls``, on the class's own name, on another instance of it.  A subclass is another class, and so is a base:

* what a base makes its subclasses don't touch, and what a subclass makes its bases don't
* but a method that the base declares is a hook: a subclass may give its own, which then is made there too
* a class nested in another, and a function beside it in the module, are outside as well

A private name of a module is for that module.  ``getattr(x, "_name")``, ``setattr`` and ``monkeypatch.setattr`` count like ``x._name``.
Of what class an expression is, ``classes.py`` tells; in a class that makes the name itself, what is of unknown kind passes for
another instance.  Code in ``EXEMPT`` may do what it likes, but others may not reach into it, except the tests in ``INSIDE``.  What
nobody of ours makes is somebody else's; what of it is used stands in ``ALLOWED``.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from classes import FOREIGN, Class, Classes, Function, Place
from sources import Module, Sources, base_of, read

if TYPE_CHECKING:
    from collections.abc import Iterator

EXEMPT = ("dcl_comms_core/codec/*", "dcl_comms_core/proto/*", "*/_native/*", "*/_gen/*")
"""The inside of the message classes, from both ends, and what is made by machine."""

INSIDE = ("tests/core/codec/*",)
"""Tests whose subject is the inside of what is exempt."""

PRIVATE_PACKAGES = ("_native", "_gen")
"""Packages whose name is no secret among ours."""


class Allowed(NamedTuple):
    """Private names of others that files use, and why."""

    files: str
    names: tuple[str, ...]
    why: str


ALLOWED = (
    Allowed(
        "drivers/dcl_comms_drivers/livekit/*ffi.py",
        ("_ffi_client", "_proto", "_instance", "_ffi_lib", "_name", "_dispose"),
        "the wheel's private parts, in the one file that may touch them",
    ),
    Allowed("*", ("_unknown_fields",), "betterproto2's, which has no public way to it"),
    Allowed("tests/core/conftest.py", ("_getframe",), "the guard asks who calls, and only sys knows"),
)

DOCUMENTED = frozenset({"_replace", "_fields", "_asdict", "_make", "_field_defaults"})
"""What named tuples have in public, with an underscore since their fields have none."""

SHOWN = 3
"""So many files are named where it may be any of several."""
MOST_USED = 30
"""So many names are counted in the totals."""

BASES, SUBCLASSES, FUNCTION, NEIGHBOUR, NESTED, ELSEWHERE, MODULES, OTHERS = (
    "made by a base",
    "made by a subclass",
    "by a function of the same module",
    "by another class of the same module",
    "nested, or around",
    "from another module",
    "of another module itself",
    "somebody else's",
)


class Violation(NamedTuple):
    """A use of a private name by what doesn't make it."""

    path: str
    line: int
    name: str
    owner: str
    user: str
    made_in: str
    kind: str

    def __str__(self) -> str:
        whole = f"{self.owner}.{self.name}" if self.owner else self.name
        return f"{self.path}:{self.line} {whole} used by {self.user}, made in {self.made_in} ({self.kind})"


def is_private(name: str) -> bool:
    """Not ``_``, nor what Python or the standard library asks for by name."""
    return name.startswith("_") and not name.endswith("_") and name not in DOCUMENTED


@dataclass(frozen=True)
class Use:
    """``value._name`` at a place."""

    node: ast.AST
    value: ast.expr
    name: str
    place: Place


@dataclass
class Checker:
    """All files of ours, as seen from each use of a private name."""

    sources: Sources
    allowed: tuple[Allowed, ...] = ALLOWED

    def __post_init__(self) -> None:
        self.classes = Classes(self.sources)
        self.makers: dict[str, list[Class]] = {}
        for one in self.classes.all:
            for name in filter(is_private, one.methods | one.data):
                self.makers.setdefault(name, []).append(one)
        self.module_names = {module.path: set(_own_names(module)) for module in self.sources.modules.values()}
        self.needed: set[Allowed] = set()

    def violations(self) -> list[Violation]:
        """In the order of files and lines."""
        found: list[Violation] = []
        for module in self.sources.modules.values():
            if not any(fnmatch(module.path, pattern) for pattern in EXEMPT):
                found += self._of_imports(module)
                found += filter(None, map(self._judge, uses(self.classes, module)))
        return sorted({one for one in found if not (_is_inside(one) or self._is_allowed(one))})

    def idle(self) -> list[Allowed]:
        """What is allowed and, after ``violations``, was not used."""
        return [one for one in self.allowed if one not in self.needed]

    def _is_allowed(self, one: Violation) -> bool:
        found = [row for row in self.allowed if fnmatch(one.path, row.files) and one.name in row.names]
        self.needed.update(found)
        return bool(found)

    # -- names of modules

    def _of_imports(self, module: Module) -> Iterator[Violation]:
        package = module.name if module.is_face else module.name.rpartition(".")[0]
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ImportFrom):
                base = base_of(node, package)
                for alias in node.names:
                    yield from self._of_import(module, node, base, (*base.split(".")[1:], alias.name))
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    yield from self._of_import(module, node, alias.name, tuple(alias.name.split(".")[1:]))

    def _of_import(self, module: Module, node: ast.stmt, base: str, parts: tuple[str, ...]) -> Iterator[Violation]:
        if any(part in PRIVATE_PACKAGES for part in parts):
            return
        made = self.sources.named(base, module.area)
        for name in filter(is_private, parts):
            where, kind = (made.path, MODULES) if made else (base, OTHERS)
            yield Violation(module.path, _line(node), name, "", _user(module, ()), where, kind)

    # -- names of objects

    def _judge(self, use: Use) -> Violation | None:
        what = self.classes.infer(use.value, use.place)
        owner = use.place.owner
        if isinstance(what, Module):
            return self._of_module(use, what)
        if what == FOREIGN:
            return self._told(use, None, OTHERS)
        if _is_super(use.value) or (owner is not None and what is owner):
            return self._of_own(use, owner, is_super=_is_super(use.value)) if owner else None
        if owner is not None and what is None and _own(owner, use.name):
            return None
        return self._of_another(use, what if isinstance(what, Class) else None)

    def _of_module(self, use: Use, module: Module) -> Violation | None:
        if module is use.place.module or use.name in PRIVATE_PACKAGES:
            return None
        user = _user(use.place.module, use.place.scope)
        return Violation(use.place.module.path, _line(use.node), use.name, module.name, user, module.path, MODULES)

    def _of_own(self, use: Use, owner: Class, *, is_super: bool) -> Violation | None:
        if not is_super and _own(owner, use.name):
            return None
        above = [one for one in owner.ancestors() if one.makes(use.name)]
        if above:
            return self._told(use, above[-1] if not is_super else above[0], BASES)
        below = [one for one in owner.relatives() if one.makes(use.name)]
        return self._told(use, below[0], SUBCLASSES) if below else self._told(use, None, OTHERS)

    def _of_another(self, use: Use, what: Class | None) -> Violation | None:
        makers = self._makers(use, what)
        if not makers:
            modules = [path for path, names in self.module_names.items() if use.name in names]
            return self._told(use, None, MODULES if modules else OTHERS, _some(modules))
        if use.place.owner in makers:
            return None
        maker = makers[0]
        if len(makers) > 1:
            return self._told(use, None, _relation(use.place, maker), _some([one.module.path for one in makers]))
        return self._told(use, maker, _relation(use.place, maker))

    def _makers(self, use: Use, what: Class | None) -> list[Class]:
        """The class that makes the name; where that can't be said, all that it may be."""
        if what is not None:
            family = (what, *what.ancestors(), *what.relatives())
            if (found := next((one for one in family if one.makes(use.name)), None)) is not None:
                return [found]
        makers = self.makers.get(use.name, [])
        here = [one for one in makers if one.module is use.place.module]
        imported = [one for one in makers if self.classes.lookup(use.place.module, one.name) is one]
        return here or imported or makers

    def _told(self, use: Use, maker: Class | None, kind: str, made_in: str = "") -> Violation:
        module = use.place.module
        owner = maker.name if maker else ast.unparse(use.value)
        where = maker.module.path if maker else made_in or "none of our files"
        return Violation(module.path, _line(use.node), use.name, owner, _user(module, use.place.scope), where, kind)


def _is_inside(one: Violation) -> bool:
    return any(fnmatch(one.path, user) and fnmatch(one.made_in, made) for user in INSIDE for made in EXEMPT)


def _own(owner: Class, name: str) -> bool:
    """Whether a class makes a name itself: what a base made before it only writes, unless that is a hook."""
    above = [one for one in owner.ancestors() if one.makes(name)]
    return owner.makes(name) and all(name in one.methods for one in (owner, *above) if above)


def _some(paths: list[str]) -> str:
    """The first few files."""
    several = list(dict.fromkeys(paths))
    return " or ".join(several[:SHOWN]) + (f" or {len(several) - SHOWN} more" if len(several) > SHOWN else "")


def _relation(place: Place, maker: Class) -> str:
    if maker.module is not place.module:
        kind = ELSEWHERE
    elif place.owner is None:
        kind = FUNCTION
    elif _is_around(maker, place.owner) or _is_around(place.owner, maker):
        kind = NESTED
    else:
        kind = NEIGHBOUR
    return kind


def _is_around(outer: Class, inner: Class) -> bool:
    whole = (*outer.scope, outer.name)
    return inner.scope[: len(whole)] == whole


def _is_super(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"


def _line(node: ast.AST) -> int:
    return getattr(node, "lineno", 0)


def _user(module: Module, scope: tuple[str, ...]) -> str:
    return ".".join(scope) or Path(module.path).name


def _own_names(module: Module) -> Iterator[str]:
    """What a module makes at its top: functions, classes, assigned names."""
    for node in module.tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Assign(targets=targets):
                yield from (leaf.id for target in targets for leaf in ast.walk(target) if isinstance(leaf, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name


# -- uses


def uses(classes: Classes, module: Module) -> Iterator[Use]:
    """Each use of a private name in a file."""
    yield from _uses(classes, module.tree, Place(module, (), None, {}))


def _uses(classes: Classes, node: ast.AST, place: Place) -> Iterator[Use]:
    for child in ast.iter_child_nodes(node):
        inside = place
        if isinstance(child, ast.ClassDef):
            inside = Place(place.module, (*place.scope, child.name), classes.of_node(place.module, child), place.types)
        elif isinstance(child, Function):
            inside = classes.place(place.module, child, place)
        elif (found := _use(child)) is not None:
            yield Use(child, *found, place)
        yield from _uses(classes, child, inside)


def _use(node: ast.AST) -> tuple[ast.expr, str] | None:
    match node:
        case ast.Attribute(value=value, attr=name) if is_private(name):
            return value, name
        case ast.Call(func=function, args=[value, ast.Constant(value=str(name)), *_]) if is_private(name):
            called = ast.unparse(function).rpartition(".")[2]
            return (value, name) if called in {"getattr", "setattr", "hasattr", "delattr", "__setattr__"} else None
        case ast.Call(func=ast.Attribute(attr="setattr" | "patch"), args=[ast.Constant(value=str(path)), *_]):
            whole, _, name = path.rpartition(".")
            return (ast.parse(whole, mode="eval").body, name) if whole and is_private(name) else None
    return None


# -- what is printed


def totals(found: list[Violation]) -> Iterator[str]:
    """Of each area and kind, and the names that are used the most."""
    for title, counts in (
        ("folders", Counter(_folder(one.path) for one in found)),
        ("kinds", Counter(one.kind for one in found)),
        ("folders and kinds", Counter(f"{_folder(one.path)}, {one.kind}" for one in found)),
        ("names", Counter(f"{one.owner}.{one.name}" for one in found)),
    ):
        yield f"{title}: " + "; ".join(f"{what} {count}" for what, count in counts.most_common(MOST_USED))


def _folder(path: str) -> str:
    parts = path.split("/")[:-1]
    return "/".join(parts[:2]) if parts[0] in {"tests", "drivers", "station"} else parts[0]


def main() -> None:
    parser = argparse.ArgumentParser(description="Private names that are used outside of what makes them.")
    parser.add_argument("--repo", type=Path, default=Path(__file__).parents[2], help="another checkout than this one")
    checker = Checker(read(parser.parse_args().repo))
    found = checker.violations()
    print("\n".join([*map(str, found), *totals(found)]))
    idle = checker.idle()
    print("".join(f"allowed and not used: {row}\n" for row in idle), end="")
    sys.exit(1 if found or idle else 0)


if __name__ == "__main__":
    main()
