"""What messages have: their fields by number, of which kind each is, and in what it is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_core.proto import TABLES, Field, WireMessage

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["fields_of", "type_of", "unit_of"]

_FIELDS: Final = {table.cls: {one.number: one for one in table.fields} for table in TABLES}
_UNITS: Final = (
    ("position_", "m"),
    ("point_at_", "m"),
    ("velocity_", "m/s"),
    ("rotation_y", "°"),
    ("head_yaw", "°"),
    ("head_pitch", "°"),
    ("timestamp", "s"),
    ("duration", "s"),
)
"""By how a field's name begins."""
_SIMPLE: Final = {
    "double": "float",
    "float": "float",
    "int32": "int",
    "int64": "int",
    "sint32": "int",
    "uint32": "int",
    "uint64": "int",
}


def fields_of(kind: type[WireMessage]) -> Mapping[int, Field]:
    """The fields of a message, by number."""
    return _FIELDS[kind]


def type_of(field: Field) -> str:
    """Of which kind it is, as pages are told: a message by its name."""
    if field.message is not None:
        return field.message.__name__
    return _SIMPLE.get(field.type, field.type)


def unit_of(name: str) -> str | None:
    """In what a field of this name is measured, as explorers do; None: in nothing."""
    return next((unit for begins, unit in _UNITS if name.startswith(begins)), None)
