"""What can be set on the practice provider: by flag, by environment of a test, or while it runs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields

FAULTS = (
    "400",
    "401",
    "404",
    "429",
    "500",
    "503",
    "529",
    "hang",
    "reset",
    "drop_stream",
    "malformed",
    "wrong_usage",
    "no_usage",
    "slow",
    "strange_end",
    "bad_arguments",
    "other_model",
    "cut_stream",
    "hang_stream",
    "error_stream",
    "huge",
)


@dataclass
class Settings:
    """The knobs of one running provider; times are in milliseconds unless the name ends in _s."""

    latency_ms: float = 0.0
    token_ms: float = 0.0
    jitter_ms: float = 0.0
    drip_ms: float = 150.0
    hang_s: float = 600.0
    concurrency: int = 0
    retry_after: float = 1.0
    retry_after_unit: str = "s"
    dimensions: int = 256
    huge_mb: int = 64
    always_usage: bool = False
    keep_keys: bool = True
    accepted_keys: str = ""
    every: dict[str, int] = field(default_factory=dict)
    upcoming: dict[str, int] = field(default_factory=dict)

    def change(self, wanted: Mapping[str, object]) -> None:
        """Set the named knobs; raise ValueError for an unknown name or an unfit value, leaving all as it was."""
        plain: dict[str, object] = {}
        every, upcoming = dict(self.every), dict(self.upcoming)
        for name, value in wanted.items():
            kind, when = fault_of(name)
            if kind:
                (every if when == "every" else upcoming)[kind] = int(_number(name, value))
            else:
                plain[name] = _fit(self, name, value)
        self.every = {kind: n for kind, n in every.items() if n > 0}
        self.upcoming = {kind: n for kind, n in upcoming.items() if n > 0}
        for name, value in plain.items():
            setattr(self, name, value)

    def accepts(self, api_key: str) -> bool:
        """Tell whether calls with that key are answered: with any key, unless accepted_keys lists some by comma."""
        accepted = [key.strip() for key in self.accepted_keys.split(",") if key.strip()]
        return not accepted or api_key in accepted

    def describe(self) -> dict[str, object]:
        """Return every knob under the name by which it is set."""
        shown = {name: value for name, value in asdict(self).items() if name not in {"every", "upcoming"}}
        for kind in FAULTS:
            shown[f"fault_{kind}_every"] = self.every.get(kind, 0)
            shown[f"fault_{kind}_next"] = self.upcoming.get(kind, 0)
        return shown


def plain_knobs() -> dict[str, object]:
    """Return the knobs that are not about faults, with their defaults."""
    default = Settings()
    return {
        knob.name: getattr(default, knob.name) for knob in fields(Settings) if knob.name not in {"every", "upcoming"}
    }


def fault_of(name: str) -> tuple[str, str]:
    """Split `fault_429_every` into its fault and its rhythm; both are empty for another knob."""
    parts = name.removeprefix("fault_").rpartition("_")
    if name.startswith("fault_") and parts[0] in FAULTS and parts[2] in {"every", "next"}:
        return parts[0], parts[2]
    return "", ""


def _fit(settings: Settings, name: str, value: object) -> object:
    if name in {"every", "upcoming"} or not hasattr(settings, name) or callable(getattr(settings, name)):
        raise ValueError(f"unknown setting {name}")
    current = getattr(settings, name)
    if isinstance(current, bool):
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be true or false")
        return value
    if name == "retry_after_unit":
        if value not in {"s", "ms"}:
            raise ValueError(f"{name} must be s or ms")
        return value
    if name == "accepted_keys":
        if not isinstance(value, str):
            raise ValueError(f"{name} must be keys with commas between them")
        return value
    return type(current)(_number(name, value))


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        raise ValueError(f"{name} must be a number of at least 0")
    return value
