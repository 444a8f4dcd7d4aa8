"""What a preview of a re-pricing says first: what was looked at, and what would become of it."""

from apps.core import formats
from apps.costs.repricing_report import Day, Preview


def headline(found: Preview, *, only_unpriced: bool, currency: str) -> str:
    """Say what would change, of which calls, and how many would have no price."""
    total = found.total
    kind = ("call" if total.calls == 1 else "calls") + (" without a price" if only_unpriced else "")
    of = f"{total.calls:,} {kind}" if found.is_whole else f"the newest {total.calls:,} {kind}"
    if total.changed:
        amounts = [formats.exact_money(amount, currency) for amount in (total.before, total.after)]
        words = f"{total.changed:,} of {of} would cost something else: {amounts[0]} becomes {amounts[1]}."
    else:
        words = f"Of {of}, none would cost anything else."
    return f"{words}{_rest(total)}"


def _rest(total: Day) -> str:
    same = total.calls - total.changed - total.still_unpriced
    words = f" {same:,} already {'costs' if same == 1 else 'cost'} what the list says." if same > 0 else ""
    return f"{words} {total.still_unpriced:,} would still have no price." if total.still_unpriced else words
