"""The type checkers accept what users write, and refuse what they get wrong: tests/typing, the examples, every program in a page."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = [str(path) for path in sorted((ROOT / "examples").glob("*.py"))]
BIN = Path(sys.executable).parent

pytestmark = [pytest.mark.slow, pytest.mark.timeout(170)]  # the first run has no cache yet


def run(tool, *args):
    if not (BIN / tool).exists():
        pytest.skip(f"{tool} is not installed here: it comes with the group lint")
    result = subprocess.run([BIN / tool, *args], cwd=ROOT, capture_output=True, text=True, timeout=160, check=False)
    return result.returncode, result.stdout + result.stderr


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# Its blocks are parts of two examples, which tests/station/test_driver_docs.py compares them with.
PARTS = {"driver.md"}


def program(page):
    """A page's blocks one after another, as one module: what awaits at top level stands in a function."""
    parts = []
    for number, (indent, text) in enumerate(
        re.findall(r"^( *)```python\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    ):
        block = textwrap.dedent(text) if indent else text
        try:
            compile(block, page.name, "exec")
        except SyntaxError:
            block = f"async def block_{number}() -> None:\n" + textwrap.indent(block, "    ")
        parts.append(block)
    return "\n\n".join(parts)


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """Every program in the pages, each page's as a file of its own."""
    folder = tmp_path_factory.mktemp("programs")
    for page in PAGES:
        if page.name not in PARTS and (text := program(page)):
            (folder / f"page_{page.stem.lower()}.py").write_text(text, encoding="utf-8")
    assert {"page_readme.py", "page_realm.py", "page_media.py", "page_testing.py", "page_tap.py"} <= {
        path.name for path in folder.iterdir()
    }
    return folder


def test_mypy_accepts_programs_and_refuses_mistakes(programs):
    code, told = run("mypy", "tests/typing", *EXAMPLES, *map(str, sorted(programs.iterdir())))
    assert code == 0, told


def test_basedpyright_accepts_every_program_in_the_pages(programs):
    settings = json.loads((ROOT / "tests/typing/pyrightconfig.json").read_text(encoding="utf-8"))
    settings |= {
        "include": [str(programs)],
        "extraPaths": [str(ROOT), str(ROOT / "drivers"), str(ROOT / "station")],
        "venvPath": str(ROOT),
    }
    config = programs.parent / "pyrightconfig.json"
    config.write_text(json.dumps(settings), encoding="utf-8")
    code, told = run("basedpyright", "-p", str(config))
    assert code == 0, told


def test_basedpyright_accepts_programs_and_refuses_mistakes():
    code, told = run("basedpyright", "-p", "tests/typing")
    assert code == 0, told


def test_a_mistake_that_is_not_marked_is_found(tmp_path):
    text = (ROOT / "tests/typing/refused.py").read_text(encoding="utf-8")
    bare = re.sub(r"  # type: ignore\[[^]]*\]", "", text)
    (tmp_path / "bare.py").write_text(bare)
    code, told = run("mypy", str(tmp_path / "bare.py"))
    marked = {number for number, line in enumerate(text.splitlines(), 1) if "# type: ignore" in line}
    found = {int(number) for number in re.findall(r"bare\.py:(\d+): error", told)}
    assert (code, found) == (1, marked)
    assert len(marked) > 25
