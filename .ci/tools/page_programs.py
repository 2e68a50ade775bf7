"""The programs in README.md and docs: mypy and basedpyright, both strict, accept every one of them.

Blocks of a page follow each other in one module, so that a later one may use what an earlier one has.  What awaits at
top level stands in a function.  ``python .ci/tools/page_programs.py`` exits with 1 where a checker finds something.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

from generated import ROOT

__all__ = ["PAGES", "blocks", "checkers", "programs", "write"]

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PARTS = {"driver.md"}
"""Their blocks are parts of examples, which are checked as they are: tests/station/pages/test_driver_docs.py says so."""


def blocks(page: Path) -> list[str]:
    """Each block of Python in a page, from the margin."""
    found = re.findall(r"^( *)```python\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(text) if indent else text for indent, text in found]


def programs(page: Path) -> list[str]:
    """A page's blocks one after another, as one module.

    A block that imports again what the page has already begins a module of its own, as a reader begins a file.
    """
    modules: list[list[str]] = [[]]
    known: set[str] = set()
    for number, block in enumerate(blocks(page)):
        told = _names(block)
        if told & known and re.match(r"(?:from|import) ", block):
            modules.append([])
            known = set()
        known |= told
        modules[-1].append(_importable(block, number))
    return ["\n\n".join(parts) for parts in modules if parts]


def write(folder: Path) -> list[Path]:
    """Every program of every page, as files in a folder."""
    files = []
    for page in PAGES:
        for number, text in enumerate([] if page.name in PARTS else programs(page)):
            file = folder / f"page_{page.stem.lower()}{number or ''}.py"
            file.write_text(text, encoding="utf-8")
            files.append(file)
    return files


def checkers(folder: Path) -> dict[str, list[str]]:
    """The commands that check what was written into a folder, of which the second needs a file beside it."""
    settings = json.loads((ROOT / "tests" / "typing" / "pyrightconfig.json").read_text(encoding="utf-8"))
    settings |= {
        "include": [str(folder)],
        "extraPaths": [str(ROOT), str(ROOT / "drivers"), str(ROOT / "station")],
        "venvPath": str(ROOT),
    }
    config = folder / "pyrightconfig.json"
    config.write_text(json.dumps(settings), encoding="utf-8")
    return {
        "mypy": [_beside("mypy"), "--strict", *map(str, sorted(folder.glob("*.py")))],
        "basedpyright": [_beside("basedpyright"), "-p", str(config)],
    }


def _beside(tool: str) -> str:
    """The checker of this environment."""
    return str(Path(sys.executable).parent / tool)


def _names(block: str) -> set[str]:
    """What a block imports or defines at top level."""
    found: set[str] = set()
    for node in ast.parse(block).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
    return found


def _importable(block: str, number: int) -> str:
    try:
        compile(block, "block", "exec")
    except SyntaxError:
        return f"async def block_{number}() -> None:\n" + textwrap.indent(block, "    ")
    return block


def main() -> int:
    """Check them all.  The exit code."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder)
        done = [subprocess.run(command, cwd=ROOT, check=False) for command in checkers(folder).values()]
    return int(any(one.returncode for one in done))


if __name__ == "__main__":
    sys.exit(main())
