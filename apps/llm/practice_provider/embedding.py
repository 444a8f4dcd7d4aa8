"""Embeddings in which texts that share words lie close together."""

import base64
import re
import struct
import zlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from . import tokens
from .asking import BadAskError, split_model

TERM = re.compile(r"\w+")


def whole(body: Mapping[str, Any], inputs: list[str], dimensions: int) -> tuple[dict[str, Any], int]:
    """Return the body of an answer and the tokens billed; raise BadAskError for unfit dimensions."""
    wanted = body.get("dimensions") or dimensions
    if not isinstance(wanted, int) or not 1 <= wanted <= 4096:
        raise BadAskError("dimensions: must be a whole number from 1 to 4096", "dimensions")
    packed = body.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": index, "embedding": _shape(vector(text, wanted), packed=packed)}
        for index, text in enumerate(inputs)
    ]
    billed = sum(tokens.count(text) for text in inputs)
    usage = {"prompt_tokens": billed, "total_tokens": billed}
    return {"object": "list", "data": data, "model": split_model(str(body.get("model")))[0], "usage": usage}, billed


@lru_cache(maxsize=1024)
def vector(text: str, dimensions: int) -> tuple[float, ...]:
    """Return the unit vector of a text: hashed words and their beginnings."""
    values = [0.0] * dimensions
    for word in TERM.findall(text.lower()):
        for term, weight in ((word, 1.0), (word[:4] + "*", 0.5)):
            hashed = zlib.crc32(term.encode("utf-8", "replace"))
            values[hashed % dimensions] += weight if hashed & 0x10000 else -weight
    if not any(values):
        values[0] = 1.0
    length = sum(value * value for value in values) ** 0.5
    return tuple(value / length for value in values)


def _shape(values: tuple[float, ...], *, packed: bool) -> str | list[float]:
    if packed:
        return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()
    return list(values)
