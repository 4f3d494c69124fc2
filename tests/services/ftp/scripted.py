"""An FTP server of one file in memory, which breaks the rules where a test wants it to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.sockets import stop_accepting

GREETING = "220 caf\xe9"  # in Latin-1, which is not valid UTF-8
FACTS = "type=file;size={size};modify=20240102030405;"


class ScriptedFtp:
    """A server with the file `/file`.

    Attributes:
        content: the content of the file.
        replies: the reply to a command, by its name, instead of the one of a good server.
        cut_after: bytes of a download after which the data connection is closed, although the reply is a good one.
        breaks_once: whether both of these happen once.
        lost: the commands that are carried out once more, and whose connection breaks before the reply.
        files: what was stored, by path.
        commands: the commands that came.
        logins: the number of logins.
        servers: the servers of the control connections and of data connections.
    """

    def __init__(self, content: bytes = b"0123456789") -> None:
        self.content = content
        self.replies: dict[str, str] = {}
        self.cut_after: int | None = None
        self.files: dict[str, bytes] = {}
        self.commands: list[str] = []
        self.logins = 0
        self.port = 0
        self.offset = 0
        self.breaks_once = False
        self.lost: set[str] = set()
        self.renamed = ""
        self.servers: list[asyncio.Server] = []
        self._writers: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """Breaks every control connection."""
        for writer in self._writers:
            writer.transport.abort()

    async def say(self, reply: str) -> None:
        """Sends a reply that no command has asked for on every control connection, and gives it time to arrive."""
        for writer in self._writers:
            writer.write(f"{reply}\r\n".encode())
        await asyncio.sleep(0.02)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one control connection."""
        self._writers.add(writer)
        data = _Data(self.servers)
        try:
            greeting = self.replies.get("connect", GREETING)
            writer.write(f"{greeting}\r\n".encode("latin-1"))
            while line := (await reader.readline()).decode().rstrip("\r\n"):
                command, _, argument = line.partition(" ")
                self.commands.append(command)
                async for reply in self._replies(command, argument, data):
                    if command not in self.lost:
                        writer.write(f"{reply}\r\n".encode("latin-1"))
                    if reply == "cut" or command in self.lost:
                        self.lost.discard(command)
                        writer.transport.abort()
        except ConnectionError:
            return
        finally:
            self._writers.discard(writer)
            data.close()
            writer.close()

    async def _replies(self, command: str, argument: str, data: _Data) -> AsyncIterator[str]:
        if command in self.replies:
            yield self.replies.pop(command) if self.breaks_once else self.replies[command]
        elif command in {"RETR", "STOR", "APPE"}:
            yield "150 go on"
            if command == "RETR":
                start, self.offset = self.offset, 0
                await data.send(self.content[start:][: self.cut_after])
                self.cut_after = None if self.breaks_once else self.cut_after
            else:
                self.files[argument] = await data.receive()
            yield "226 done"
        elif command in {"EPSV", "PASV"}:
            port = await data.listen()
            yield f"229 (|||{port}|)" if command == "EPSV" else f"227 (203,0,113,1,{port >> 8},{port & 255})"
        elif command == "MLST":
            for line in self._facts(argument):
                yield line
        else:
            for line in self._changed(command, argument):
                yield line

    def _changed(self, command: str, argument: str) -> list[str]:
        match command:
            case "USER":
                return ["331 password"]
            case "PASS":
                self.logins += 1
                return ["230 welcome"]
            case "FEAT":
                return ["211-caf\xe9", " MLST type*;", " REST STREAM", "211 end"]
            case "REST":
                self.offset = int(argument)
                return ["350 and"]
            case "RNFR":
                self.renamed = argument
                return ["350 and"]
            case "RNTO":
                self.files[argument] = self.files.pop(self.renamed)
                return ["250 done"]
            case "MKD":
                return ["550 no"] if argument in self.files else ["257 done"]
            case "DELE":
                return ["250 done" if self.files.pop(argument, None) is not None else "550 no"]
        return ["200 fine"]

    def _facts(self, path: str) -> list[str]:
        contents = {"/file": self.content, **self.files}
        if path == "/":
            return ["250-", " type=dir; /", "250 end"]
        if path not in contents:
            return ["550 caf\xe9"]
        return ["250-", f" {FACTS.format(size=len(contents[path]))} {path}", "250 end"]


class _Data:
    """The data connection of a control connection.

    Arguments:
        servers: gets the servers that listen for it, which the test closes at its end.
    """

    def __init__(self, servers: list[asyncio.Server]) -> None:
        self._servers = servers
        self._number = 0
        self._arrived: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

    async def listen(self) -> int:
        self.close()
        number = self._number

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if number != self._number:
                writer.close()
            else:
                self._arrived.put_nowait((reader, writer))

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        self._servers.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return port

    async def send(self, content: bytes) -> None:
        _, writer = await self._arrived.get()
        writer.write(content)
        writer.close()

    async def receive(self) -> bytes:
        reader, writer = await self._arrived.get()
        content = await reader.read()
        writer.close()
        return content

    def close(self) -> None:
        """Closes what has arrived, and what is still to arrive for the same transfer."""
        self._number += 1
        while not self._arrived.empty():
            self._arrived.get_nowait()[1].close()


@asynccontextmanager
async def scripted(content: bytes = b"0123456789") -> AsyncIterator[ScriptedFtp]:
    """A running server."""
    server = ScriptedFtp(content)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.servers.append(listening)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        for each in server.servers:
            await stop_accepting(each)
        server.cut()
