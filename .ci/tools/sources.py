"""Our own Python files as data: which there are, and who imports whom.  By ast alone: nothing of them is run.

An import counts wherever it stands, and each knows its kind: ``run`` (when the module is loaded), ``lazy`` (in a function)
or ``types`` (under ``TYPE_CHECKING``).  ``from package import name`` is an import of ``package/name.py`` where there is
one, else of ``package/__init__.py``, the package's face.  That Python loads the faces above a module before it is nobody's
import: a face would be in a circle with all that it shows.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RUN, LAZY, TYPES = "run", "lazy", "types"
FACE = "__init__.py"


class Area(NamedTuple):
    """A folder of ours: where it is, and the package that it is imported as; none where files import each other bare."""

    folder: str
    package: str = ""


AREAS = {
    "core": Area("dcl_comms_core", "dcl_comms_core"),
    "drivers": Area("drivers/dcl_comms_drivers", "dcl_comms_drivers"),
    "bot": Area("drivers/dcl_comms_bot", "dcl_comms_bot"),
    "station": Area("station/dcl_comms_station", "dcl_comms_station"),
    "fuzz": Area("fuzz", "fuzz"),
    "benchmarks": Area("benchmarks"),
    "tests": Area("tests"),
    "examples": Area("examples"),
}


@dataclass(frozen=True, eq=False)
class Module:
    """One file: its path in the repository, the name that it is imported by, its area's name."""

    path: str
    name: str
    area: str
    tree: ast.Module = field(repr=False)

    @property
    def is_face(self) -> bool:
        """Whether it is a package's ``__init__``."""
        return self.path.endswith("/" + FACE)


class Import(NamedTuple):
    """``import base`` where there is no ``name``, else ``from base import name``."""

    base: str
    name: str
    kind: str
    line: int


class Edge(NamedTuple):
    """One import of one of our files by another."""

    source: str
    target: str
    kind: str
    line: int


@dataclass(frozen=True)
class Sources:
    """Files of ours, by path."""

    modules: dict[str, Module]

    @cached_property
    def _named(self) -> dict[tuple[str, str], Module]:
        return {(module.area, module.name): module for module in self.modules.values()}

    def named(self, name: str, area: str) -> Module | None:
        """The module that ``import name`` finds from a file of ``area``."""
        for place in (area, *(one for one in AREAS if AREAS[one].package)):
            if (found := self._named.get((place, name))) is not None:
                return found
        return None

    def target(self, imported: Import, area: str) -> Module | None:
        """The module that an import is of; None where it is not ours."""
        whole = f"{imported.base}.{imported.name}" if imported.name else imported.base
        return self.named(whole, area) or self.named(imported.base, area)

    def edges(self) -> list[Edge]:
        """Every import of ours by ours."""
        return [
            Edge(module.path, target.path, one.kind, one.line)
            for module in self.modules.values()
            for one in imports(module)
            if (target := self.target(one, module.area)) is not None
        ]


def read(repo: Path, areas: tuple[str, ...] = tuple(AREAS)) -> Sources:
    """The files of these areas in a checkout; an area that is not there has none."""
    found = {}
    for area in areas:
        root = repo / AREAS[area].folder
        for path in sorted(root.rglob("*.py")):
            inside = path.relative_to(root)
            parts = inside.parent.parts if inside.name == FACE else inside.with_suffix("").parts
            name = ".".join(filter(None, (AREAS[area].package, *parts)))
            where = path.relative_to(repo).as_posix()
            found[where] = Module(where, name, area, ast.parse(path.read_text(encoding="utf-8"), where))
    return Sources(found)


def imports(module: Module) -> Iterator[Import]:
    """All imports of a module, with ``importlib.import_module("a.name")``."""
    package = module.name if module.is_face else module.name.rpartition(".")[0]
    yield from _imports(module.tree, RUN, package)


def _imports(node: ast.AST, kind: str, package: str) -> Iterator[Import]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and kind == RUN:
        kind = LAZY
    if isinstance(node, ast.If) and is_type_checking(node.test):
        for child in node.body:
            yield from _imports(child, TYPES, package)
        children: Iterator[ast.AST] = iter(node.orelse)
    else:
        yield from _of_statement(node, kind, package)
        children = ast.iter_child_nodes(node)
    for child in children:
        yield from _imports(child, kind, package)


def is_type_checking(test: ast.expr) -> bool:
    return ast.unparse(test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def _of_statement(node: ast.AST, kind: str, package: str) -> Iterator[Import]:
    match node:
        case ast.Import(names=names):
            for alias in names:
                yield Import(alias.name, "", kind, node.lineno)
        case ast.ImportFrom(names=names):
            for alias in names:
                yield Import(base_of(node, package), alias.name, kind, node.lineno)
        case ast.Call(
            func=ast.Attribute(attr="import_module") | ast.Name(id="import_module"),
            args=[ast.Constant(value=str(name)), *_],
        ):
            yield Import(name, "", kind, node.lineno)


def base_of(node: ast.ImportFrom, package: str) -> str:
    """The absolute name after ``from``, in a module of this package."""
    if not node.level:
        return node.module or ""
    parts = package.split(".")[: len(package.split(".")) - (node.level - 1)]
    return ".".join(filter(None, (*parts, node.module)))
