"""The README as an index of packages shows it: its links lead to the repository.

In the repository, the README links to files beside it and to its own sections. An index has no such files, and its
sections have no names, so this hook of hatchling makes these links absolute when a wheel or an sdist is built. The
address is `Repository` of `[project.urls]`.
"""

import re
from pathlib import Path
from typing import Any, Final

from hatchling.metadata.plugin.interface import MetadataHookInterface

BRANCH: Final = "main"
_LINK: Final = re.compile(r"(?P<start>(?P<image>!)?\[[^\]]*\]\()(?P<target>(?!\w+:)[^)\s]+)")


def with_absolute_links(text: str, repository: str) -> str:
    """The text with links to the repository in place of relative ones; images lead to their content."""

    def absolute(link: re.Match[str]) -> str:
        if link["target"].startswith("#"):  # the page of the repository shows its README
            return f"{link['start']}{repository}{link['target']}"
        view = "raw" if link["image"] else "blob"
        return f"{link['start']}{repository}/{view}/{BRANCH}/{link['target']}"

    return _LINK.sub(absolute, text)


class ReadmeHook(MetadataHookInterface):
    """Sets the field `readme` of the metadata."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Reads the README beside pyproject.toml."""
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        repository = metadata["urls"]["Repository"]
        metadata["readme"] = {"content-type": "text/markdown", "text": with_absolute_links(text, repository)}
