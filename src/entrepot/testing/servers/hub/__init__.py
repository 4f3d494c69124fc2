"""A hub of our own: the HTTP API of the Hugging Face Hub over repositories in memory.

    with hub(folder) as server:
        op = Operator(Hf(server.new_repository("model"), token=server.token, endpoint=server.endpoint))

`hub` runs it in a process of its own. `HubInProcess` runs it in threads of this one, for tests that interrupt it.

The real hub cannot be started anywhere else, so that this server is made after its API as the library `huggingface_hub`
uses it. What works here may still differ there.

Two servers run: the hub, and the storage of large files on another origin, which refuses requests that have
credentials. Every request to the hub must have the token. Files are in git or in the storage (Git LFS) by their name
and size; pages have three entries; a path cannot be a file and a directory; a commit may state its parent.
"""

from .server import HubInProcess, HubServer, hub

__all__ = ["HubInProcess", "HubServer", "hub"]
