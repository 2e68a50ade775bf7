"""errors.py names every exception that is raised on purpose, wherever it is, and none that is not there."""

from __future__ import annotations

import importlib
import pkgutil
import re

import dcl_comms_bot
import dcl_comms_drivers
import dcl_comms_station

import dcl_comms_core
from dcl_comms_core import errors

PACKAGES = (dcl_comms_core, dcl_comms_drivers, dcl_comms_bot, dcl_comms_station)
NOT_FOR_USERS = {
    "CommsError",  # their base, which the page's first sentence names
    "ProtocolError",  # abstract
    "TokenError",  # likewise
}


def kinds(base):
    for kind in base.__subclasses__():
        yield kind
        yield from kinds(kind)


def test_the_tables_are_complete():
    for package in PACKAGES:
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not re.search(r"__main__|_native|pytest_plugin", module.name):
                importlib.import_module(module.name)
    there = {kind.__name__ for kind in kinds(errors.CommsError) if kind.__module__.partition(".")[0].startswith("dcl_")}
    named = set(re.findall(r"^([A-Z]\w+)  ", errors.__doc__, re.MULTILINE))
    assert named == there - NOT_FOR_USERS


def test_event_and_warning_are_public_and_the_builtin_is_left_alone():
    space = {}
    exec("from dcl_comms_core import *", space)  # noqa: S102 - our own
    assert "Event" in space
    assert "Warning" not in space
    assert dcl_comms_core.Warning is importlib.import_module("dcl_comms_core.events").Warning
