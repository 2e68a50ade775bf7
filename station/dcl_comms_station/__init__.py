"""The Comms Station: the ``dcl-comms`` command.

``entry`` is the console script, ``cli`` the commands; the rest does the work and knows nothing of click.  Every exit
code is in ``exits``, and every text that came from a peer goes through ``clean`` before it reaches a terminal.
"""
