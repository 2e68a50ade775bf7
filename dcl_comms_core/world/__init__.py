"""From a realm's URL into its rooms, and back into those that are lost."""
