"""What goes out of a room: what is wanted, what waits for credit, when movement is due."""
