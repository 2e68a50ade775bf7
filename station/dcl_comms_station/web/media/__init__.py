"""Sound and pictures between a room and the Station's pages, and what pages have us say.

``listening`` and ``speaking`` are chores beside the room's session, in its own thread; ``box`` is the way to the
Station's; ``sounds`` keeps what pages send to be said.
"""
