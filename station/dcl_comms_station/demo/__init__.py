"""``dcl-comms demo``: three peers, on asyncio, on trio and on a plain loop, meet on one island of a realm.

``script`` says who plays and what they say; ``part`` is what one of them does and remembers, whatever its loop;
``on_asyncio``, ``on_trio`` and ``on_polled`` put a part on a loop.  ``venue`` finds a realm, ``stage`` runs
the three; ``verdict`` judges what each of them read.
"""
