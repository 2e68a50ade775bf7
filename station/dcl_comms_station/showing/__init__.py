"""How events look: lines in a pipe; on a terminal colours, and movement as one line that changes."""
