"""A server of one answer."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager


@contextmanager
def serving(answer=b"", *, context=None, keep_open=False):
    """A server that says one thing to whoever says something; gives its port and what it heard.

    ``answer`` may be a function of what came; None is silence.
    """
    heard = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = threading.Event()

        def serve():
            while not done.is_set():
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(5)
                    try:
                        stream = context.wrap_socket(connection, server_side=True) if context else connection
                        heard.append(stream.recv(4096))
                        text = answer(heard[-1]) if callable(answer) else answer
                        stream.sendall(text or b"")
                        if keep_open or text is None:
                            done.wait(10)
                        if context:
                            stream.close()
                    except OSError:  # it hung up
                        continue

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1], heard
        finally:
            done.set()
            server.shutdown(socket.SHUT_RDWR)
            thread.join(40)
