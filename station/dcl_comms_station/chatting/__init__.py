"""``dcl-comms chat``: words both ways.

``orders`` says what a line means and whom a word names, ``typing`` makes lines of what comes in, a line at a time or a
key at a time; ``keyboard`` reads standard input beside the loop, ``faces`` shows, ``talk`` does.
"""
