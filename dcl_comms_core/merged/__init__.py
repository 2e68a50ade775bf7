"""Several rooms as one: who is where, what is told once, what goes to which; the change to the next; other sources."""
