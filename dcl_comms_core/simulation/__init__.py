"""A room in memory, with the faults of a network."""
