"""What providers count and bill."""

from django.db import models


class Meter(models.TextChoices):
    """Disjoint counts of what a provider bills: audio is not inside input or output, a cached token is read once."""

    INPUT = "input", "input tokens"
    CACHE_READ = "cache_read", "cached input tokens"
    CACHE_WRITE = "cache_write", "cache write tokens (5 minutes)"
    CACHE_WRITE_1H = "cache_write_1h", "cache write tokens (1 hour)"
    OUTPUT = "output", "output tokens"
    AUDIO_INPUT = "audio_input", "audio input tokens"
    AUDIO_OUTPUT = "audio_output", "audio output tokens"
    WEB_SEARCH = "web_search", "web searches"
    AUDIO_CACHE_READ = "audio_cache_read", "cached audio input tokens"
    IMAGE_INPUT = "image_input", "image input tokens"
    IMAGE_OUTPUT = "image_output", "image output tokens"
    FILE_SEARCH = "file_search", "file searches"
    CODE_SESSION = "code_session", "code sessions"

    # That of the text, as equality is, and several times faster than that of an enumeration.
    __hash__ = str.__hash__

    @property
    def is_fee(self) -> bool:
        """Return whether it counts uses of a tool, priced one by one, and not tokens."""
        return self in FEES

    @property
    def is_input(self) -> bool:
        """Return whether it is a part of what the model read, and so of the length that steps of a price ask for."""
        return self not in FEES and self not in OUTPUTS


FEES = frozenset({Meter.WEB_SEARCH, Meter.FILE_SEARCH, Meter.CODE_SESSION})
OUTPUTS = frozenset({Meter.OUTPUT, Meter.AUDIO_OUTPUT, Meter.IMAGE_OUTPUT})
BASE_METERS = (Meter.INPUT, Meter.CACHE_READ, Meter.CACHE_WRITE, Meter.CACHE_WRITE_1H, Meter.OUTPUT)

# Where a charge keeps each of its common meters; the rare ones stand in `other_meters`.
CHARGE_COLUMNS = {
    Meter.INPUT: "input_tokens",
    Meter.CACHE_READ: "cache_read_tokens",
    Meter.CACHE_WRITE: "cache_write_tokens",
    Meter.CACHE_WRITE_1H: "cache_write_1h_tokens",
    Meter.OUTPUT: "output_tokens",
    Meter.AUDIO_INPUT: "audio_input_tokens",
    Meter.AUDIO_OUTPUT: "audio_output_tokens",
    Meter.WEB_SEARCH: "web_searches",
}
