"""LiveKit rooms over the wheel's native engine, for any event loop.

``errors`` names what can go wrong with the engine; ``link`` carries one room for a session of the core; ``audio`` and
``video`` send and receive sound and pictures; ``engine`` and ``ffi`` are beneath them.  Importing this package loads
none of them.
"""
