"""A RoomServer on a virtual clock."""
