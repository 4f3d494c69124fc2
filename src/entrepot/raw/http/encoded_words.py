"""Encoded words of RFC 2047: text in a header, written in ASCII.

Amazon S3 returns user metadata that is not ASCII as such words, in UTF-8 ("Working with object metadata" in its user
guide).
"""

import re
from binascii import Error as Base64Error
from binascii import a2b_base64, a2b_qp
from typing import Final

from entrepot.types.patterns import pattern

_WORD: Final = pattern(r"=\?utf-8\?([bq])\?([!->@-~]*)\?=", re.ASCII | re.IGNORECASE)


def decode_words(value: str) -> str:
    """The text of a value that consists of encoded words in UTF-8; any other value is returned as it is.

    Blanks between two words are no part of the text (RFC 2047, 6.2).
    """
    if not value.startswith("=?"):
        return value
    words = [_WORD.fullmatch(word) for word in value.split()]
    try:
        text = b"".join(_decoded(word[1], word[2]) for word in words if word is not None).decode()
    except (Base64Error, UnicodeDecodeError):
        return value
    return text if None not in words and text.isprintable() else value


def _decoded(encoding: str, text: str) -> bytes:
    return a2b_base64(text, strict_mode=True) if encoding in "bB" else a2b_qp(text, header=True)
