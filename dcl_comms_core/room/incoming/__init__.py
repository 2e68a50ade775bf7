"""What comes into a room: who may send how much, what a packet says, what is told, who is there."""
