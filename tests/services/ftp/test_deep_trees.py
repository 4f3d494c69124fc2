"""Directories deeper than Python's limit of recursion. They are in memory, since a server takes seconds for them."""

from typing import cast

from entrepot.raw import OpDelete
from entrepot.services.ftp.deleter import delete_path
from entrepot.services.ftp.files import make_directories
from entrepot.services.ftp.replies import Reply
from entrepot.services.ftp.session import FtpSession

DEPTH = 2_000
REFUSED = Reply(550, ["no"])


class Memory:
    """The part of a session that makes, lists and deletes directories."""

    features = frozenset({"MLST"})

    def __init__(self) -> None:
        self.directories = {""}

    async def command(self, name: str, path: str) -> Reply:
        parent = path.rpartition("/")[0]
        if name == "MLST":
            return Reply(250, ["", f" type=dir; {path}"]) if path in self.directories else REFUSED
        if name == "MKD" and path not in self.directories and parent in self.directories:
            self.directories.add(path)
            return Reply(257, ["made"])
        if name == "RMD" and path in self.directories and f"{path}/a" not in self.directories:
            self.directories.remove(path)
            return Reply(250, ["removed"])
        return REFUSED

    async def transfer(self, name: str, path: str) -> "Memory":
        self.listed = path
        return self

    async def read_all(self) -> bytes:
        return b"type=dir; a\r\n" if f"{self.listed}/a" in self.directories else b""


async def test_a_directory_is_made_and_deleted_at_any_depth() -> None:
    memory = Memory()
    session = cast("FtpSession", memory)
    await make_directories(session, "/a" * DEPTH)
    assert len(memory.directories) == DEPTH + 1
    await delete_path(session, "/a", "a/", OpDelete(recursive=True), is_root=False)
    assert memory.directories == {""}
