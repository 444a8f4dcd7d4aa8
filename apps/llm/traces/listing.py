"""The rows of the list of calls: what is shown of each, without its texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apps.accounts.models import Workspace
from apps.llm.models import Call, Model

INPUTS = ("input", "cache_read", "cache_write", "cache_write_1h", "audio_input", "audio_cache_read", "image_input")
OUTPUTS = ("output", "audio_output", "image_output")


@dataclass(frozen=True)
class Row:
    """One call of the list. Tokens are None while nobody has counted them."""

    call: Call
    model: Model
    tokens_in: int | None
    tokens_out: int | None
    is_estimated: bool
    who: str

    @property
    def is_reused(self) -> bool:
        return self.call.reused_id is not None


def rows_of(workspace: Workspace, calls: Sequence[Call]) -> list[Row]:
    """Return the rows for the calls, in their order."""
    models = workspace.models.with_connection().in_bulk({call.model_id for call in calls})
    return [_row(call, models[call.model_id]) for call in calls]


def _row(call: Call, model: Model) -> Row:
    usage: dict[str, Any] | None = call.usage
    named = call.attribution
    return Row(
        call=call,
        model=model,
        tokens_in=tokens(usage, INPUTS),
        tokens_out=tokens(usage, OUTPUTS),
        is_estimated=bool(usage and usage.get("estimated")),
        who=named.get("user_name") or named.get("api_key_name") or "",
    )


def tokens(usage: dict[str, Any] | None, meters: Sequence[str]) -> int | None:
    """Return the sum of some meters as they are stored with a call."""
    return None if usage is None else sum(int(usage.get(meter, 0)) for meter in meters)
