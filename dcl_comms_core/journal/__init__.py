"""What went through a session, to be run again."""
