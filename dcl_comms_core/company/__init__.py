"""Who is around: how they came, who is near, whom we ignore."""
