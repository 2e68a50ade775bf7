"""What the sources say of a class and of each of its fields, for pages that are made of it."""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import NamedTuple

__all__ = ["Said", "cell", "fields_of", "members", "paragraphs"]


class Said(NamedTuple):
    """A field, a property or a member of an enum, as its source has it."""

    name: str
    kind: str
    """Its annotation; of a member, its value."""
    default: str
    """As it is written; empty: it has to be given."""
    text: str
    """Its docstring as one paragraph; empty: it has none."""


def fields_of(cls: type) -> list[Said]:
    """The public fields and properties that a class itself declares, in the order of its source."""
    found = []
    for node, after in _pairs(cls):
        match node:
            case ast.AnnAssign(target=ast.Name(id=name)) if not name.startswith("_"):
                default = "" if node.value is None else ast.unparse(node.value)
                found.append(Said(name, ast.unparse(node.annotation), default, _text(after)))
            case ast.FunctionDef(name=name, returns=ast.expr() as returns) if _is_property(node):
                found.append(Said(name, ast.unparse(returns), "", one_line(ast.get_docstring(node) or "")))
            case _:
                pass
    return found


def members(cls: type) -> list[Said]:
    """The members of an enum.  One without a docstring is told by its value."""
    found = []
    for node, after in _pairs(cls):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=value)):
                found.append(Said(name, repr(value), "", _text(after) or str(value)))
            case _:
                pass
    return found


def paragraphs(cls: type) -> list[str]:
    """A class's docstring, each paragraph as one line."""
    text = inspect.cleandoc(cls.__dict__["__doc__"] or "")
    return [one_line(part) for part in text.split("\n\n") if part.strip()]


def one_line(text: str) -> str:
    """A docstring as markdown of one line."""
    return " ".join(text.split()).replace("``", "`")


def cell(text: str) -> str:
    """Markdown for a cell of a table."""
    return text.replace("|", "\\|")


def _pairs(cls: type) -> list[tuple[ast.stmt, ast.stmt | None]]:
    """The statements of a class, each with the one after it."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    body = next(node for node in tree.body if isinstance(node, ast.ClassDef)).body
    return list(zip(body, [*body[1:], None], strict=True))


def _text(after: ast.stmt | None) -> str:
    match after:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return one_line(text)
        case _:
            return ""


def _is_property(node: ast.FunctionDef) -> bool:
    return any(isinstance(which, ast.Name) and which.id == "property" for which in node.decorator_list)
