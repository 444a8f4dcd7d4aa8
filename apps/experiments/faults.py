"""What goes wrong on our side: the page says so under a short id, and the log has the rest under the same id."""

import secrets

OURS = "our_fault"


def new_id() -> str:
    """Return an id by which a page and a line of the log are brought together."""
    return secrets.token_hex(4)


def words(reference: str) -> str:
    """Return what a page says of a fault: never the exception's own text, which is for the log."""
    return f"Something went wrong on our side; an admin finds it in the worker's log as {reference}."


def sentence(text: str) -> str:
    """Return somebody else's words as a sentence that others can follow."""
    text = " ".join(text.split())
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "!", "?", "…")) else ".")
