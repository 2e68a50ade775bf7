"""HTTP and WebSockets for any loop; the extra ``net`` installs what it needs (h11, websockets).

``http`` makes one request; ``websocket`` carries one socket; ``link`` carries out the core's commands with both;
``dial`` resolves and checks addresses; ``loops`` is what they need of a loop, ``on_asyncio`` and ``on_trio`` have it.
Importing this package loads none of them.
"""
