r"""Filters over events and packets: ``kind:chat_received & !private``, read once and asked of each.

::

    expr  = or        or   = and {"|" and}        and  = not {["&"] not}
    not   = ["!" | "not "] atom                   atom = "(" expr ")" | term
    term  = field op value | word                 op   = ":" "=" "!=" ">" ">=" "<" "<=" "~"

A value is text up to the next blank, parenthesis, ``|`` or ``&``, or anything in quotes, with ``\"`` and ``\\``.
"""

from __future__ import annotations

from dcl_comms_core.records.filters.packets import TapPacket
from dcl_comms_core.records.filters.predicate import Context, Filter

__all__ = ["Context", "Filter", "TapPacket"]
