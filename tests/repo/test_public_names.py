"""What users import stays where it is: public_names.json has every public name of before the packages were made.

"then" is not changed: a name in it may only go with a deprecation.  "since" is what was added: a new public name is
written there, so that it is one on purpose.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType

import pytest

BOOK = json.loads(Path(__file__).with_name("public_names.json").read_text(encoding="utf-8"))
THEN, SINCE = BOOK["then"], BOOK["since"]
MODULES = pytest.mark.parametrize("name", [*THEN, *(name for name in SINCE if name not in THEN)])
ON_PURPOSE = {
    "dcl_comms_core.proto": {"common", "livekit", "pulse", "rfc4", "rfc5", "v3"},
    "dcl_comms_core.testing": {"script"},
}
"""Modules that are public names themselves."""


@MODULES
def test_every_name_of_then_is_there_and_what_is_new_is_told(name):
    module = importlib.import_module(name)
    then, since = THEN.get(name, []), SINCE.get(name, [])
    assert not set(then) & set(since), "a name is old or new, not both"
    missing = [one for one in (*then, *since) if not hasattr(module, one)]
    assert missing == [], f"{name} has lost public names"
    assert sorted(module.__all__) == sorted({*then, *since}), f'write what is new in {name} into "since"'
    assert len(module.__all__) == len(set(module.__all__))


@MODULES
def test_importing_everything_gives_the_public_names_and_no_submodule(name):
    space: dict[str, object] = {}
    exec(f"from {name} import *", space)  # noqa: S102 - names of our own modules
    del space["__builtins__"]
    assert space.keys() == set(importlib.import_module(name).__all__)
    modules = {one for one, value in space.items() if isinstance(value, ModuleType)}
    assert modules == ON_PURPOSE.get(name, set())
