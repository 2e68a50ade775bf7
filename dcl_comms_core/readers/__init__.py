"""More than one reader of a connection's events: who waits for one, who listens to some, beside the main reader."""
