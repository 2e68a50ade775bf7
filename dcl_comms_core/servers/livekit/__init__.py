"""A LiveKit server for packets, from its other end: rooms, participants, data, and nothing of sound and pictures.

``server.RoomServer`` is the machine.  It has no sockets: it is told what they bring, and says what they are to send.
"""
