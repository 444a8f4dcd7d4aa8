"""The state of one running provider."""

import secrets

from .chance import Chance
from .settings import Settings
from .stats import Stats
from .tokens import PrefixCache

MODELS = ["practice-small", "practice-large", "practice-claude", "practice-embed"]


class Provider:
    """Settings, counts and the prompt cache of one process."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.stats = Stats()
        self.cache = PrefixCache()
        self._serial = 0
        self._run = secrets.token_hex(5)

    def next_id(self) -> str:
        """Return a request id that no other call has."""
        self._serial += 1
        return f"req_{self._run}{self._serial:010x}"

    def reset(self) -> None:
        """Forget what was counted and cached; the settings stay."""
        self.stats.reset()
        self.cache.clear()

    def delay(self, key: str) -> float:
        """Return the seconds before an answer begins; the jitter is the same for the same call key."""
        jitter = self.settings.jitter_ms * Chance(key).draw("latency") if self.settings.jitter_ms else 0.0
        return (self.settings.latency_ms + jitter) / 1000
