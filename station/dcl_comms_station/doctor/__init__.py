"""``dcl-comms doctor``: every step on the way into a room, timed, and what to do about the one that fails.

``findings`` says what a stage found, ``net`` is the network of the loop in use, ``endpoint`` knows where a target is,
``network``, ``token``, ``engine``, ``room`` and ``realm`` hold the stages, ``examine`` runs them in order, ``show``
prints.
"""
