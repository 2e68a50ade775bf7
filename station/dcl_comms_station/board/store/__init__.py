"""One session as it is observed, in rings and tables with bounds."""
