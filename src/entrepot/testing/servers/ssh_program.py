"""The SFTP server of asyncssh as a program: the port, the file of its key, the file of the keys that may log in."""

import sys

import asyncssh


async def serve(port: int, host_key: str, authorized_keys: str) -> None:
    """Serves the files of this machine on 127.0.0.1 until the process is stopped."""
    server = await asyncssh.listen(
        "127.0.0.1", port, server_host_keys=[host_key], authorized_client_keys=authorized_keys, sftp_factory=True
    )
    await server.wait_closed()


if __name__ == "__main__":
    import asyncio

    asyncio.run(serve(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
