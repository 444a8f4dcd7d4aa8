"""Readers of what other tools keep prompts in. Pure: bytes in, prompts out, nothing is stored."""

from apps.prompts.importing.incoming import MAX_BYTES, Batch, Incoming, IncomingVersion, Unreadable
from apps.prompts.importing.reading import read

__all__ = ["MAX_BYTES", "Batch", "Incoming", "IncomingVersion", "Unreadable", "read"]
