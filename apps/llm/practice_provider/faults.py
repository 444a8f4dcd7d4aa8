"""Which call goes wrong, and how."""

from dataclasses import dataclass

from .settings import FAULTS, Settings

MESSAGES = {
    400: "This request was refused on demand.",
    401: "Incorrect API key provided.",
    404: "The model does not exist or you do not have access to it.",
    413: "The request is too large.",
    429: "Rate limit reached. Please try again later.",
    500: "The server had an error while processing your request.",
    503: "The service is unavailable at the moment.",
    504: "The request timed out upstream.",
    529: "Overloaded",
}


class UnknownFaultError(ValueError):
    """A fault was demanded that does not exist."""


@dataclass(frozen=True)
class Fault:
    """What goes wrong with a call; `status` is 0 when it is not a plain refusal."""

    kind: str
    retry_after: tuple[bytes, bytes] | None = None

    @property
    def status(self) -> int:
        """Return the status to refuse with."""
        return int(self.kind) if self.kind.isdigit() else 0


def choose(settings: Settings, wish: str, number: int, attempt: int) -> Fault | None:
    """Return the fault of this call: the one wished for, else the next K, else every Nth. Raise UnknownFaultError."""
    if wish:
        return _wished(settings, wish, attempt)
    for kind, left in settings.upcoming.items():
        if left > 1:
            settings.upcoming[kind] = left - 1
        else:
            del settings.upcoming[kind]
        return _fault(settings, kind)
    for kind, every in settings.every.items():
        if number % every == 0:
            return _fault(settings, kind)
    return None


def rate_limited(settings: Settings) -> Fault:
    """Return the refusal of a call too many."""
    return _fault(settings, "429")


def _wished(settings: Settings, wish: str, attempt: int) -> Fault | None:
    """Read `429`, `429x2` (the first two attempts of the call key) and `429;retry-after=0.5`."""
    name, *options = (part.strip() for part in wish.split(";"))
    kind, _, times = name.partition("x")
    if kind not in FAULTS or (times and not times.isdigit()):
        raise UnknownFaultError(f"unknown fault {wish!r}; there are {', '.join(FAULTS)}")
    if times and attempt > int(times):
        return None
    for option in options:
        header, _, value = option.partition("=")
        if header in {"retry-after", "retry-after-ms"} and value.isascii():
            return Fault(kind, (header.encode(), value.encode()))
    return _fault(settings, kind)


def _fault(settings: Settings, kind: str) -> Fault:
    if kind not in {"429", "503", "529"} or not settings.retry_after:
        return Fault(kind)
    wait = settings.retry_after
    if settings.retry_after_unit == "ms":
        return Fault(kind, (b"retry-after-ms", f"{wait * 1000:.0f}".encode()))
    return Fault(kind, (b"retry-after", f"{wait:g}".encode()))
