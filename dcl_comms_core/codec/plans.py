"""The field tables arranged for the strict decoder: tag -> what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from dcl_comms_core.proto._gen.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.proto.base import WireMessage
    from dcl_comms_core.proto.fields import Field, FieldType

__all__ = ["PLANS", "Entry", "Plan", "Step"]

WIRE_TYPE: Final[dict[FieldType, int]] = {"double": 1, "float": 5, "string": 2, "bytes": 2, "message": 2, "map": 2}
_DEFAULTS: Final[dict[FieldType, Any]] = {"string": "", "uint32": 0, "message": None}


class Entry:
    """One pair of a map while it is read: on the wire it is a message with two fields."""

    __slots__ = ("key", "value")

    def __init__(self, key: Any, value: Any) -> None:
        self.key = key
        self.value = value


class Step(NamedTuple):
    """What a tag leads to.  ``plan`` is the message's own; ``siblings`` are the other members of its oneof."""

    name: str
    type: FieldType
    repeated: bool
    plan: Plan | None
    enum: Callable[[int], Any] | None
    siblings: tuple[str, ...]
    field: Field


class Plan:
    """How to read one message: ``make()`` gives an empty one; ``fill()`` the value of a map's pair without one."""

    __slots__ = ("fill", "make", "steps")

    def __init__(self, make: Callable[[], Any], fill: Callable[[], Any] | None = None) -> None:
        self.make = make
        self.fill = fill or make
        self.steps: dict[int, Step] = {}


def _build() -> dict[type[WireMessage], Plan]:
    plans = {table.cls: Plan(table.cls) for table in TABLES}
    for table in TABLES:
        members = [field.name for field in table.fields if field.presence == "oneof"]
        for field in table.fields:
            plan = plans[field.message] if field.message else None
            if field.type == "map":
                plan = _entry(field, plan)
            siblings = tuple(name for name in members if name != field.name) if field.presence == "oneof" else ()
            tag = field.number << 3 | WIRE_TYPE.get(field.type, 0)
            plans[table.cls].steps[tag] = Step(
                field.name, field.type, field.presence == "repeated", plan, field.enum, siblings, field
            )
    return plans


def _entry(field: Field, value_plan: Plan | None) -> Plan:
    key_type, value_type = cast("tuple[FieldType, FieldType]", (field.key, field.value))
    key, value = _DEFAULTS[key_type], _DEFAULTS[value_type]
    plan = Plan(lambda: Entry(key, value), field.message)
    halves: tuple[tuple[int, str, FieldType, Plan | None], ...]
    halves = ((1, "key", key_type, None), (2, "value", value_type, value_plan))
    for number, name, kind, inner in halves:
        tag = number << 3 | WIRE_TYPE.get(kind, 0)
        plan.steps[tag] = Step(name, kind, repeated=False, plan=inner, enum=None, siblings=(), field=field)
    return plan


PLANS: Final = _build()
