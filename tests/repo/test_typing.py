"""The type checkers accept what users write, and refuse what they get wrong: tests/typing, the examples, every program in a page."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import page_programs
import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = [str(path) for path in sorted([*ROOT.glob("examples/*.py"), *ROOT.glob("examples/*/*.py")])]
BIN = Path(sys.executable).parent

PAGE = """
```python
from dcl_comms_core import PeerId

PEER = PeerId("0x00")
```

Uses it, in a list:

  ```python
  await PEER.short
  ```

```python
from dcl_comms_core import PeerId


async def main(who: PeerId) -> None:
    who.key.nothing()
```
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(170)]  # the first run has no cache yet


def run(tool, *args):
    if not (BIN / tool).exists():
        pytest.skip(f"{tool} is not installed here: it comes with the group lint")
    result = subprocess.run([BIN / tool, *args], cwd=ROOT, capture_output=True, text=True, timeout=160, check=False)
    return result.returncode, result.stdout + result.stderr


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """Every program in the pages, as files in a folder."""
    folder = tmp_path_factory.mktemp("programs")
    names = {file.name for file in page_programs.write(folder)}
    assert {"page_readme.py", "page_realm.py", "page_media.py", "page_testing.py", "page_tap.py"} <= names
    return folder


def test_mypy_accepts_programs_and_refuses_mistakes(programs):
    code, told = run("mypy", "tests/typing", *EXAMPLES, *map(str, sorted(programs.iterdir())))
    assert code == 0, told


def test_basedpyright_accepts_every_program_in_the_pages(programs):
    tool, *args = page_programs.checkers(programs)["basedpyright"]
    code, told = run(Path(tool).name, *args)
    assert code == 0, told


def test_a_mistake_in_a_page_is_found(tmp_path, monkeypatch):
    page = tmp_path / "PAGE.md"
    page.write_text(PAGE, encoding="utf-8")
    monkeypatch.setattr(page_programs, "PAGES", [page])
    assert [file.name for file in page_programs.write(tmp_path)] == ["page_page.py", "page_page1.py"]
    for tool, *args in page_programs.checkers(tmp_path).values():
        code, told = run(Path(tool).name, *args)
        assert code == 1, told
        assert set(re.findall(r"page_page1?\.py:\d+", told)) == {"page_page.py:7", "page_page1.py:5"}, told


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
