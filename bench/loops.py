"""Small programs that are measured, or help to: each is a process of its own.

    python -m bench.loops raw-receive FILE          one connection's bytes into a file; prints its port first
    python -m bench.loops raw-send PORT FILE        a file with sendfile
    python -m bench.loops relay PORT SECONDS        passes on what comes, each way, after so many seconds; prints its port first
    python -m bench.loops associate AET PORT N      N associations with one C-ECHO each, one after the other; prints how many a second

Imports are inside: what a program does not need it does not wait for.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable

HOST = "127.0.0.1"
CHUNK = 1 << 18


def raw_receive(path: str) -> None:
    """The least that receiving a file can take: recv and write."""
    with socket.create_server((HOST, 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        connection, _ = listener.accept()
    buffer = memoryview(bytearray(CHUNK))
    with connection, open(path, "wb", buffering=0) as file:  # noqa: PTH123 - pathlib is not imported
        while count := connection.recv_into(buffer):
            file.write(buffer[:count])
        connection.sendall(b"\0")


def raw_send(port: str, path: str) -> None:
    """The least that sending a file can take, and the answer that it has arrived."""
    with socket.create_connection((HOST, int(port))) as connection, open(path, "rb") as file:  # noqa: PTH123 - as above
        left, at = os.fstat(file.fileno()).st_size, 0
        while left:
            sent = os.sendfile(connection.fileno(), file.fileno(), at, left)
            at, left = at + sent, left - sent
        connection.shutdown(socket.SHUT_WR)
        if connection.recv(1) != b"\0":
            raise ConnectionError("no answer")


def relay(port: str, delay: str) -> None:
    """A long line: what comes goes out after the delay, as much at once as may be."""
    import asyncio

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def arrive() -> None:
            while True:
                due, chunk = await under_way.get()
                await asyncio.sleep(due - loop.time())
                if not chunk:
                    writer.write_eof()
                    return
                writer.write(chunk)
                await writer.drain()

        arriving = asyncio.create_task(arrive())
        while True:
            try:
                chunk = await reader.read(CHUNK)
            except ConnectionError:
                chunk = b""
            under_way.put_nowait((loop.time() + float(delay), chunk))
            if not chunk:
                break
        await arriving

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_reader, to_writer = await asyncio.open_connection(HOST, int(port))
        await asyncio.gather(late(reader, to_writer), late(to_reader, writer), return_exceptions=True)
        writer.close()
        to_writer.close()

    async def run() -> None:
        server = await asyncio.start_server(connected, HOST, 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    asyncio.run(run())


def associate(aet: str, port: str, count: str) -> None:
    """Set-up, echo and release, one after the other; what is told does not count the start of this process."""
    import dimse

    def once() -> None:
        with dimse.connect(HOST, int(port), called=aet, contexts=[dimse.Verification]) as association:
            if not association.echo().ok:
                raise RuntimeError("an echo was answered a failure")

    once()
    before = time.perf_counter()
    for _ in range(int(count)):
        once()
    print(int(count) / (time.perf_counter() - before))


PROGRAMS: dict[str, Callable[..., None]] = {
    "raw-receive": raw_receive,
    "raw-send": raw_send,
    "relay": relay,
    "associate": associate,
}

if __name__ == "__main__":
    PROGRAMS[sys.argv[1]](*sys.argv[2:])
