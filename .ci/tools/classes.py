"""The classes of our files: what each inherits, which names it makes, and of which of them an expression is.

A class makes a name that its body declares (a method, a property, a field, ``__slots__``), or that one of its own methods
gives to ``self``.  What an expression is, is only said where it is plain: ``self``, a name with an annotation, a
constructor's result, an attribute that one of these is given.  Everything else is unknown, not guessed.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from sources import AREAS, Module, Sources, base_of

if TYPE_CHECKING:
    from collections.abc import Iterator

FOREIGN = "foreign"
"""What an expression is that begins with somebody else's name."""

Function = ast.FunctionDef | ast.AsyncFunctionDef
PACKAGES = {area.package for area in AREAS.values() if area.package}
DEPTH = 8
"""So many faces may hand a name on."""


@dataclass(eq=False)
class Class:
    """One class statement."""

    module: Module
    scope: tuple[str, ...]
    node: ast.ClassDef = field(repr=False)
    bases: list[Class] = field(default_factory=list, repr=False)
    children: list[Class] = field(default_factory=list, repr=False)
    methods: set[str] = field(default_factory=set, repr=False)
    data: set[str] = field(default_factory=set, repr=False)
    types: dict[str, Class] = field(default_factory=dict, repr=False)
    results: dict[str, Class] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """As its statement says it."""
        return self.node.name

    def makes(self, name: str) -> bool:
        """Whether it is this class that makes the name."""
        return name in self.methods or name in self.data

    def ancestors(self) -> list[Class]:
        """All classes of ours that it inherits, near ones first."""
        found: dict[Class, None] = {}
        for base in self.bases:
            found.update(dict.fromkeys((base, *base.ancestors())))
        return list(found)

    def descendants(self) -> list[Class]:
        """All classes of ours that inherit it."""
        found: dict[Class, None] = {}
        for child in self.children:
            found.update(dict.fromkeys((child, *child.descendants())))
        return list(found)

    def relatives(self) -> list[Class]:
        """Subclasses, and what else these inherit."""
        return list(dict.fromkeys(one for child in self.descendants() for one in (child, *child.ancestors())))


What = Class | Module | str | None
"""What an expression is: of a class of ours, a module of ours, ``FOREIGN``, or unknown."""


class Bound(NamedTuple):
    """A name that an import binds: ``name`` of the module ``base``, or the module itself where that is empty."""

    base: str
    name: str


class Classes:
    """Every class of the sources."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.all: list[Class] = []
        self._of: dict[tuple[str, str], list[Class]] = {}
        self._bound = {module.path: dict(_bindings(module)) for module in sources.modules.values()}
        for module in sources.modules.values():
            self._gather(module, module.tree, ())
        for one in self.all:
            one.bases = [base for node in one.node.bases if isinstance(base := self.of_annotation(node, one), Class)]
            for base in one.bases:
                base.children.append(one)
        for one in self.all:
            self._declare(one)
        # Types of attributes may be of constructors' arguments, so each class is known by now.
        for one in self.all:
            self._learn(one)

    def _gather(self, module: Module, node: ast.AST, scope: tuple[str, ...]) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef):
                one = Class(module, scope, child)
                self.all.append(one)
                self._of.setdefault((module.path, child.name), []).append(one)
            named = isinstance(child, ast.ClassDef | Function)
            self._gather(module, child, (*scope, child.name) if named else scope)

    def of_node(self, module: Module, node: ast.ClassDef) -> Class:
        """The class of a class statement."""
        return next(one for one in self._of[module.path, node.name] if one.node is node)

    # -- names

    def lookup(self, module: Module, name: str, scope: tuple[str, ...] = (), depth: int = 0) -> What:
        """What a name means at a place in a module."""
        seen = [one for one in self._of.get((module.path, name), ()) if scope[: len(one.scope)] == one.scope]
        if seen:
            return max(seen, key=lambda one: len(one.scope))
        bound = self._bound[module.path].get(name)
        if bound is None or depth > DEPTH:
            # A path in a string needs no import.
            return self.sources.named(name, module.area) if name in PACKAGES else None
        if (found := self.sources.named(".".join(filter(None, bound)), module.area)) is not None:
            return found
        base = self.sources.named(bound.base, module.area)
        return FOREIGN if base is None else self.lookup(base, bound.name, (), depth + 1)

    def of_annotation(self, node: ast.expr | None, place: Class | Place) -> What:
        """The class of ours that an annotation, or a base, names; of ``A | None`` it is A."""
        found: What = None
        match node:
            case ast.Constant(value=str(text)):
                found = self.of_annotation(_parsed(text), place)
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                first = self.of_annotation(left, place)
                found = first if isinstance(first, Class) else self.of_annotation(right, place)
            case ast.Subscript(value=ast.Name(id="type" | "Optional" | "Final" | "ClassVar"), slice=inner):
                found = self.of_annotation(inner, place)
            case ast.Subscript(value=value):
                found = self.of_annotation(value, place)
            case ast.Name(id="Any"):
                found = None
            case ast.Name(id="Self"):
                found = place if isinstance(place, Class) else place.owner
            case ast.Name(id=name):
                found = self.lookup(place.module, name, place.scope)
            case ast.Attribute(value=value, attr=attr):
                found = self.member(self.of_annotation(value, place), attr)
        return found

    def member(self, what: What, name: str) -> What:
        """What an attribute is."""
        if isinstance(what, Module):
            submodule = self.sources.named(f"{what.name}.{name}", what.area) if what.is_face else None
            return submodule or self.lookup(what, name)
        if isinstance(what, Class):
            return next((one.types[name] for one in (what, *what.ancestors()) if name in one.types), None)
        return what

    def infer(self, node: ast.AST, place: Place) -> What:
        """What an expression is."""
        found: What = None
        match node:
            case ast.Name(id=name):
                found = place.types[name] if name in place.types else self.lookup(place.module, name, place.scope)
            case ast.Attribute(value=value, attr=attr):
                found = self.member(self.infer(value, place), attr)
            case ast.Call(func=ast.Name(id="cast"), args=[kind, _]):
                found = self.of_annotation(kind, place)
            case ast.Call(func=ast.Attribute(attr="__new__"), args=[kind, *_]):
                found = self.infer(kind, place)
            case ast.Call(func=ast.Attribute(value=value, attr=attr)):
                found = self._result(self.infer(value, place), attr)
            case ast.Call(func=ast.Name() as func):
                called = self.infer(func, place)
                found = called if isinstance(called, Class) else None
        return found

    def _result(self, what: What, name: str) -> What:
        if isinstance(what, Class):
            return next((one.results[name] for one in (what, *what.ancestors()) if name in one.results), None)
        found = self.member(what, name)
        # What a foreign function gives may be ours.
        return found if isinstance(found, Class) else None

    # -- what a class makes

    def _declare(self, one: Class) -> None:
        for node in one.node.body:
            match node:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    one.methods.add(name)
                    result = self.of_annotation(node.returns, one)
                    if isinstance(result, Class):
                        is_property = any(ast.unparse(which).endswith("property") for which in node.decorator_list)
                        (one.types if is_property else one.results)[name] = result
                case ast.ClassDef(name=name):
                    one.data.add(name)
                case ast.AnnAssign(target=ast.Name(id=name)):
                    one.data.add(name)
                    self._type(one, name, self.of_annotation(node.annotation, one))
                case ast.Assign(targets=targets):
                    names = {leaf.id for target in targets for leaf in ast.walk(target) if isinstance(leaf, ast.Name)}
                    one.data |= names | (_strings(node.value) if "__slots__" in names else set())

    @staticmethod
    def _type(one: Class, name: str, what: What) -> None:
        if isinstance(what, Class):
            one.types.setdefault(name, what)

    def _learn(self, one: Class) -> None:
        for method in one.node.body:
            if isinstance(method, Function):
                place = self.place(one.module, method, Place(one.module, (*one.scope, one.name), one, {}))
                for node in ast.walk(method):
                    self._learn_statement(node, one, place)

    def _learn_statement(self, node: ast.AST, one: Class, place: Place) -> None:
        match node:
            case ast.Attribute(attr=name, ctx=ast.Store()) if self.infer(node.value, place) is one:
                one.data.add(name)
            case ast.Call(
                func=ast.Attribute(attr="__setattr__") | ast.Name(id="setattr"),
                args=[target, ast.Constant(value=str(name)), _],
            ) if self.infer(target, place) is one:
                one.data.add(name)
            case ast.AnnAssign(target=ast.Attribute(attr=name)):
                self._type(one, name, self.of_annotation(node.annotation, place))
            case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)], value=value):
                self._type(one, name, self.infer(value, place))

    # -- functions

    def place(self, module: Module, function: Function, outer: Place) -> Place:
        """A function's inside: its parameters and what is assigned to its local names."""
        types: dict[str, What] = dict(outer.types)
        inside = Place(module, (*outer.scope, function.name), outer.owner, types)
        arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        for argument in arguments:
            types[argument.arg] = self.of_annotation(argument.annotation, inside)
        is_method = outer.owner is not None and function in outer.owner.node.body
        static = any(ast.unparse(which) == "staticmethod" for which in function.decorator_list)
        if is_method and arguments and not static:
            types[arguments[0].arg] = outer.owner
        for node in ast.walk(function):
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if types.get(name) is None:
                    types[name] = self.infer(value, inside)
                case ast.AnnAssign(target=ast.Name(id=name)):
                    types[name] = self.of_annotation(node.annotation, inside)
        return inside


class Place(NamedTuple):
    """A place in a file: the names of what it is in, the nearest class around it, what local names are."""

    module: Module
    scope: tuple[str, ...]
    owner: Class | None
    types: dict[str, What]


def _bindings(module: Module) -> Iterator[tuple[str, Bound]]:
    package = module.name if module.is_face else module.name.rpartition(".")[0]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.asname or alias.name.partition(".")[0]
                yield name, Bound(alias.name if alias.asname else name, "")
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, Bound(base_of(node, package), alias.name)


def _parsed(text: str) -> ast.expr | None:
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError:
        return None


def _strings(node: ast.expr) -> set[str]:
    return {leaf.value for leaf in ast.walk(node) if isinstance(leaf, ast.Constant) and isinstance(leaf.value, str)}
