"""Books what was set aside, once somebody has mended it or the books have learned what was missing."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from apps.accounts.models import User
from apps.core import canonical
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
    changed: list[Quarantined] = []
    for row, draft in _drafted(rows, changes, now):
        if isinstance(draft, Bad):
            stay[row.pk] = draft
            if (row.reason, row.message) != (draft.reason, draft.message):
                row.reason, row.message = draft.reason, draft.message
                changed.append(row)
        else:
            booked.append((row, draft))
    Quarantined.objects.bulk_update(changed, ["reason", "message"])
    there = known([draft.id for _, draft in booked])
    ledger.record(all_of(draft for _, draft in booked if draft.id not in there))
    for row, draft in booked:
        row.state, row.decided_by, row.decided_at, row.charge_id = Quarantined.State.MENDED, person, now, draft.id
    Quarantined.objects.bulk_update([row for row, _ in booked], ["state", "decided_by", "decided_at", "charge_id"])
    for (workspace_id, source), number in Counter((row.workspace_id, row.source) for row, _ in booked).items():
        count_mended(workspace_id, source, number, now)
    return stay


def _drafted(
    rows: Sequence[Quarantined], changes: Mapping[str, Any], now: datetime
) -> Iterator[tuple[Quarantined, NewCharge | Bad]]:
    """Yield each row with the charge that it makes now; those that one sender sent are looked up together."""
    together: dict[str, list[Quarantined]] = {}
    for row in rows:
        key = canonical.dumps([row.workspace_id, row.source, row.payload.get(SENT_BY, {})])
        together.setdefault(key, []).append(row)
    for alike in together.values():
        sender = Sender(alike[0].workspace_id, alike[0].source, alike[0].payload.get(SENT_BY, {}))
        items = [_item(row, changes) for row in alike]
        yield from zip(alike, drafts(sender, items, now, is_meant=bool(changes.get(COST_MEANT))), strict=True)


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
