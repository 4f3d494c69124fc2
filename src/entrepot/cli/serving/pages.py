"""The pages for a browser: directories, previews and refusals.

Each value that comes from the storage or a request is escaped where it is put into the page. There is no inline script
and no inline style, which the Content-Security-Policy of the pages forbids.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Final
from urllib.parse import urlencode

from entrepot import Entry, Metadata
from entrepot.cli.quantities import human_size

from .listing import COLUMNS, Page
from .media import media_type, shown_as
from .paths import url_of

STYLE: Final = "/-/entrepot.css"
SCRIPT: Final = "/-/entrepot.js"
ICON: Final = "/-/entrepot.svg"

_TITLES: Final = {"name": "Name", "size": "Size", "modified": "Modified (UTC)"}


@dataclass(frozen=True, slots=True)
class Site:
    """What all pages have in common.

    Arguments:
        title: the name of the storage.
        nonce: permits the script of the page (Content-Security-Policy).
        is_writable: whether the pages offer uploads and deletions.
        is_exclusive: whether an upload can be refused by the server where an object exists.
        can_delete: whether the storage can delete.
    """

    title: str
    nonce: str
    is_writable: bool = False
    is_exclusive: bool = False
    can_delete: bool = False


def directory_page(site: Site, page: Page) -> str:
    """The page of a directory."""
    rows = [_row(site, page.path, entry) for entry in sorted(page.entries, key=lambda entry: entry.is_file)]
    heads = "".join(_head(page, column) for column in COLUMNS)
    actions = '<th scope="col"><span class="hidden">Actions</span></th>' if site.can_delete else ""
    columns = len(COLUMNS) + site.can_delete
    empty = f'<tr><td colspan="{columns}" class="empty">This directory is empty.</td></tr>'
    body = "".join([*_parent(page.path, columns), *(rows or [empty])])
    table = f"<table><thead><tr>{heads}{actions}</tr></thead><tbody>{body}</tbody></table>"
    return _document(site, page.path, f"{_upload(site, page.path)}{table}{_pager(page)}")


INDEX_START: Final = '<!DOCTYPE html><html><head><meta charset="utf-8"><title>Index</title></head><body><pre>\n'
INDEX_END: Final = "</pre></body></html>\n"


def index_rows(directory: str, entries: Iterable[Entry]) -> str:
    """The links to entries of a directory, for programs that read pages: to the objects themselves, and no others."""
    return "".join(
        f'<a href="{escape(url_of(entry.path))}">{escape(_name_in(directory, entry))}</a>\n' for entry in entries
    )


def preview_page(site: Site, path: str, metadata: Metadata, text: str | None, *, is_cut: bool) -> str:
    """The page that shows an object.

    Arguments:
        site: what all pages have in common.
        path: the object.
        metadata: its metadata.
        text: its content, or the start of it, if it is shown as text.
        is_cut: whether the text is only the start.
    """
    kind = media_type(path, metadata.content_type)
    size, url = metadata.content_length, escape(url_of(path))
    facts = {
        "Size": None if size is None else f"{human_size(size)} ({size:,} bytes)" if size >= 1024 else f"{size} bytes",
        "Type": kind,
        "Modified": _time(metadata.last_modified),
        "ETag": metadata.etag,
        "Version": metadata.version,
    }
    shown = "".join(
        f"<div><dt>{name}</dt><dd>{value if name == 'Modified' else escape(value)}</dd></div>"
        for name, value in facts.items()
        if value
    )
    button = f'<p><a class="button" href="{url}" download>Download</a></p>'
    return _document(site, path, f"<dl>{shown}</dl>{button}{_content(shown_as(kind), url, text, is_cut=is_cut)}")


def refusal_page(site: Site, status: int, phrase: str, message: str) -> str:
    """The page of a request that is refused or failed."""
    said = f"<p>{escape(message)}</p>" if message != phrase else ""
    back = '<p><a href="/">Go to the top directory</a></p>'
    return _document(site, "/", f'<section class="refusal"><h2>{status} {escape(phrase)}</h2>{said}{back}</section>')


def _document(site: Site, path: str, content: str) -> str:
    name = path.rstrip("/").rpartition("/")[2]
    title = f"{name} · {site.title}" if name else site.title
    script = f'<script src="{SCRIPT}" nonce="{site.nonce}" defer></script>' if site.is_writable else ""
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f'<title>{escape(title)}</title><link rel="icon" href="{ICON}"><link rel="stylesheet" href="{STYLE}">{script}'
        f"</head><body><header>{_crumbs(site, path)}</header><main>{content}</main></body></html>\n"
    )


def _crumbs(site: Site, path: str) -> str:
    """The links to the directories above, and the name of this one."""
    names = path.strip("/").split("/") if path != "/" else []
    links = [(site.title, "/"), *((name, f"{'/'.join(names[: depth + 1])}/") for depth, name in enumerate(names))]
    above = "".join(
        f'<li><a href="{escape(url_of(target))}"><bdi>{escape(name)}</bdi></a></li>' for name, target in links[:-1]
    )
    here = f'<li aria-current="page"><bdi>{escape(links[-1][0])}</bdi></li>'
    return f'<nav aria-label="Path"><ol>{above}{here}</ol></nav>'


def _head(page: Page, column: str) -> str:
    """The head of a column, a link that sorts by it; again, in the other order."""
    request = page.request
    is_sorted = request.column == column
    is_descending = not request.is_descending if is_sorted else column != "name"
    target = {"sort": column, "order": "desc" if is_descending else "asc"}
    state = ("descending" if request.is_descending else "ascending") if is_sorted else "none"
    link = f'<a href="?{escape(urlencode(target))}">{_TITLES[column]}</a>'
    return f'<th scope="col" class="{column}" aria-sort="{state}">{link}</th>'


def _parent(path: str, columns: int) -> list[str]:
    if path == "/":
        return []
    above = path.rstrip("/").rpartition("/")[0]
    link = f'<a class="up" href="{escape(url_of(f"{above}/"))}" title="The directory above">..</a>'
    return [f'<tr><td class="name" colspan="{columns}">{link}</td></tr>']


def _row(site: Site, directory: str, entry: Entry) -> str:
    name = _name_in(directory, entry)
    url = url_of(entry.path) + ("?view" if entry.is_file else "")
    kind = _icon_of(entry)
    size = "" if entry.size is None else f'<span title="{entry.size:,} bytes">{human_size(entry.size)}</span>'
    return (
        f'<tr><td class="name"><a class="{kind}" href="{escape(url)}"><bdi>{escape(name)}</bdi></a></td>'
        f'<td class="size">{size}</td><td class="modified">{_time(entry.metadata.last_modified)}</td>'
        f"{_delete(site, entry, name)}</tr>"
    )


def _name_in(directory: str, entry: Entry) -> str:
    return entry.path.removeprefix("" if directory == "/" else directory)


def _icon_of(entry: Entry) -> str:
    """The class that chooses the icon of an entry."""
    if entry.is_dir:
        return "directory"
    kind = shown_as(media_type(entry.path, entry.metadata.content_type))
    return "picture" if kind == "img" else "file"


def _delete(site: Site, entry: Entry, name: str) -> str:
    if not site.can_delete:
        return ""
    label = escape(f"Delete {name}")
    return (
        f'<td class="actions"><button type="button" class="delete" data-url="{escape(url_of(entry.path))}" '
        f'data-name="{escape(name)}" title="{label}" aria-label="{label}">&times;</button></td>'
    )


def _upload(site: Site, path: str) -> str:
    if not site.is_writable:
        return ""
    exclusive = " data-exclusive" if site.is_exclusive else ""
    return (
        f'<section id="upload" data-url="{escape(url_of(path))}"{exclusive}>'
        '<label class="button" for="files">Upload files</label><input id="files" type="file" multiple>'
        '<span class="hint">or drop them on this page</span><ul id="uploads" aria-live="polite"></ul></section>'
    )


def _pager(page: Page) -> str:
    request = page.request
    first = '<a class="button" href="?{}">First page</a>'
    order = {"sort": request.column, "order": "desc" if request.is_descending else "asc", "limit": str(request.limit)}
    links = [first.format(escape(urlencode(order)))] if request.after is not None else []
    if page.next is not None:
        links.append(
            f'<a class="button" rel="next" href="?{escape(urlencode({**order, "after": page.next}))}">Next page</a>'
        )
    return f'<nav class="pager" aria-label="Pages">{"".join(links)}</nav>' if links else ""


def _content(kind: str, url: str, text: str | None, *, is_cut: bool) -> str:
    if kind == "img":
        return f'<figure><img src="{url}" alt=""></figure>'
    if kind in {"audio", "video"}:
        return f'<figure><{kind} src="{url}" controls preload="metadata"></{kind}></figure>'
    if text is None:
        return '<p class="empty">There is no preview of this file.</p>'
    note = '<p class="hint">This is the start of the file.</p>' if is_cut else ""
    return f'<pre tabindex="0">{escape(text)}</pre>{note}'


def _time(time: datetime | None) -> str:
    if time is None:
        return ""
    utc = time.astimezone(UTC)
    return f'<time datetime="{utc:%Y-%m-%dT%H:%M:%SZ}">{utc:%Y-%m-%d %H:%M}</time>'
