"""For whom and for what a model is called: the names that the charge will carry."""

from dataclasses import dataclass

from apps.costs.models import Purpose


@dataclass(frozen=True, kw_only=True)
class Attribution:
    """Ids and names at the time of the call, as values. `origin` is the relative address of what caused it."""

    purpose: Purpose
    team_id: int | None = None
    team_name: str = ""
    user_id: int | None = None
    user_name: str = ""
    api_key_id: int | None = None
    api_key_name: str = ""
    customer: str = ""
    prompt_id: int | None = None
    prompt_name: str = ""
    version_id: int | None = None
    version_number: int | None = None
    environment: str = ""
    origin: str = ""
