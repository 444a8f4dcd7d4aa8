"""Books what was set aside, once somebody has mended it or the books have learned what was missing."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from apps.accounts.models import User
from apps.costs import ledger
from apps.costs.ingest.booking import SENT_BY, count_mended, known
from apps.costs.ingest.drafts import Sender, all_of, drafts
from apps.costs.ingest.items import Bad
from apps.costs.ledger import NewCharge
from apps.costs.models import Quarantined

COST_MEANT, PROVIDER_TOTAL = "cost_meant", "provider_total"
# Where each dialect tells the provider's own sum; the third tells none.
TOTALS = {"openai": "total_tokens", "opentelemetry": "total"}


def try_again(
    rows: Sequence[Quarantined], changes: Mapping[str, Any], *, person: User | None, now: datetime
) -> dict[int, Bad]:
    """Book the rows with these changes inside the caller's transaction; return those that stay aside, by id, with why.

    Besides fields of the item, changes may hold COST_MEANT (a cost that looks wrong is right) and PROVIDER_TOTAL.
    What is in the books already is closed with the charge that it became. The rows must be open and locked.
    """
    stay: dict[int, Bad] = {}
    booked: list[tuple[Quarantined, NewCharge]] = []
    for row in rows:
        (draft,) = drafts(_sender(row), [_item(row, changes)], now, is_meant=bool(changes.get(COST_MEANT)))
        if isinstance(draft, Bad):
            stay[row.pk] = draft
            _explain(row, draft)
        else:
            booked.append((row, draft))
    there = known([draft.id for _, draft in booked])
    ledger.record(all_of(draft for _, draft in booked if draft.id not in there))
    for row, draft in booked:
        _close(row, draft, person, now)
    for (workspace_id, source), number in Counter((row.workspace_id, row.source) for row, _ in booked).items():
        count_mended(workspace_id, source, number, now)
    return stay


def _sender(row: Quarantined) -> Sender:
    return Sender(row.workspace_id, row.source, row.payload.get(SENT_BY, {}))


def _item(row: Quarantined, changes: Mapping[str, Any]) -> dict[str, Any]:
    item = {name: value for name, value in row.payload.items() if name != SENT_BY}
    item["source_id"] = row.source_id or f"quarantined-{row.pk}"
    for name, value in changes.items():
        if name == PROVIDER_TOTAL:
            item = with_total(item, value)
        elif name == COST_MEANT:
            continue
        elif value is None:
            item.pop(name, None)
        else:
            item[name] = value
    if "meters" in changes:
        # Counts that somebody wrote down stand in place of those that contradicted each other.
        for name in ("usage", "dialect", "total_tokens", "reasoning_tokens"):
            item.pop(name, None)
    return item


def total_of(item: Mapping[str, Any]) -> Any:
    """Return the provider's own sum of tokens as an item tells it, if it does."""
    usage = item.get("usage")
    if not isinstance(usage, Mapping):
        return item.get("total_tokens")
    return usage.get(TOTALS.get(item.get("dialect", ""), ""))


def with_total(item: Mapping[str, Any], total: int | None) -> dict[str, Any]:
    """Return an item that tells another sum of tokens, or none, where its own words have it."""
    usage = item.get("usage")
    place = TOTALS.get(item.get("dialect", ""), "") if isinstance(usage, Mapping) else "total_tokens"
    if not place:
        return dict(item)
    inside = dict(usage) if isinstance(usage, Mapping) else dict(item)
    inside.pop(place, None)
    if total is not None:
        inside[place] = total
    return {**item, "usage": inside} if isinstance(usage, Mapping) else inside


def _explain(row: Quarantined, draft: Bad) -> None:
    if (row.reason, row.message) != (draft.reason, draft.message):
        Quarantined.objects.filter(pk=row.pk).update(reason=draft.reason, message=draft.message)


def _close(row: Quarantined, draft: NewCharge, person: User | None, now: datetime) -> None:
    Quarantined.objects.filter(pk=row.pk).update(
        state=Quarantined.State.MENDED, decided_by=person, decided_at=now, charge_id=draft.id
    )
