"""A proxy for HTTP that fails as it is told: a process, with settings as JSON lines on its input.

    python tests/helpers/faulty_proxy.py PORT_OF_THE_SERVER

It prints its port, then a line for each line that it is given; it ends when its input does. A
connection serves one request: the server is told to close it.
"""

import asyncio
import json
import sys
from typing import Any

BLOCK = 1 << 16
SLOW_DOWN = (
    b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)


class Proxy:
    def __init__(self, port: int) -> None:
        self.upstream = port
        self.port = 0
        self.listener: asyncio.Server | None = None
        self.open: set[asyncio.StreamWriter] = set()
        self.requests: list[tuple[str, str]] = []
        self.down = self.silent = False
        self.latency_s: float = 0
        self.bytes_per_s: float | None = None
        self.refusals = self.cuts = 0
        self.method = ""

    async def run(self) -> None:
        await self.listen()
        print(self.port, flush=True)
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            print(json.dumps(await self.set(json.loads(line))), flush=True)

    async def listen(self) -> None:
        self.listener = await asyncio.start_server(self.serve, "127.0.0.1", self.port, backlog=512)
        self.port = self.listener.sockets[0].getsockname()[1]

    async def set(self, settings: dict[str, Any]) -> Any:
        if settings.pop("requests", False):
            requests, self.requests = self.requests, []
            return requests
        for name, value in settings.items():
            setattr(self, name, value)
        if self.down and self.listener is not None:
            self.listener.close()
            self.listener = None
            for writer in self.open:
                writer.transport.abort()
        elif not self.down and self.listener is None:
            await self.listen()
        return True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open.add(writer)
        try:
            await self.answer(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # one of the two has gone; so does the other
        finally:
            self.open.discard(writer)
            writer.close()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n")[0].decode().split(" ", 2)
        self.requests.append((method, target))
        await asyncio.sleep(self.latency_s)
        if self.refusals and self.method in ("", method):
            self.refusals -= 1
            lines = f"Content-Type: application/xml\r\nContent-Length: {len(SLOW_DOWN)}"
            answer = f"HTTP/1.1 503 Slow Down\r\n{lines}\r\nConnection: close\r\n\r\n".encode()
            writer.write(answer + (b"" if method == "HEAD" else SLOW_DOWN))
            await writer.drain()
            return
        cut = self.cuts > 0 and self.method in ("", method)
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        server_writer.write(head[:-2] + b"Connection: close\r\n\r\n")
        sending = asyncio.create_task(self.send(reader, server_writer))
        try:
            await self.respond(server_reader, writer, cut)
        finally:
            sending.cancel()
            server_writer.close()

    async def send(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on the body of a request."""
        while block := await reader.read(BLOCK):
            writer.write(block)
            await writer.drain()

    async def respond(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cut: bool
    ) -> None:
        block = await reader.read(BLOCK)
        head, _, body = block.partition(b"\r\n\r\n")
        while block:
            if self.silent:
                await asyncio.Event().wait()
            if cut and len(body) > 100:
                self.cuts -= 1
                writer.write(block[: -len(body) // 2])
                await writer.drain()
                writer.transport.close()
                return
            for piece in self.pieces(block):
                writer.write(piece)
                await writer.drain()
                if self.bytes_per_s is not None:
                    await asyncio.sleep(len(piece) / self.bytes_per_s)
            body = block = await reader.read(BLOCK)

    def pieces(self, block: bytes) -> list[bytes]:
        if self.bytes_per_s is None:
            return [block]
        size = max(1, int(self.bytes_per_s / 10))
        return [block[start : start + size] for start in range(0, len(block), size)]


if __name__ == "__main__":
    asyncio.run(Proxy(int(sys.argv[1])).run())
