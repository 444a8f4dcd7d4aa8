"""The words and marks that every page shares: icons, money, time, numbers, states, variables."""

import json
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django import template
from django.forms import BoundField
from django.template.base import NodeList, Parser, Token
from django.template.context import Context
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from apps.core import formats
from apps.core.icons import FALLBACK, ICONS

register = template.Library()

SOON = timedelta(seconds=45)
VARIABLE = re.compile(r"\{\{\s*([A-Za-z_][\w.\-]*)\s*\}\}")

GOOD = "good", "circle-check"
BAD = "bad", "circle-x"
WARN = "warn", "alert-triangle"
ACTIVE = "active", "progress"
WAITING = "idle", "clock"
QUIET = "idle", "circle-minus"
STATES: dict[str, tuple[str, str]] = {
    **dict.fromkeys(("done", "passed", "ok", "applied", "approved", "accepted", "succeeded", "healthy", "met"), GOOD),
    **dict.fromkeys(("complete", "completed", "delivered", "better", "fixed", "live", "active", "closed"), GOOD),
    **dict.fromkeys(
        ("failed", "error", "errored", "rejected", "refused", "worse", "broken", "dead", "exceeded", "revoked"), BAD
    ),
    **dict.fromkeys(("warning", "stale", "changes_requested", "conflict", "degraded", "flaky", "partial"), WARN),
    **dict.fromkeys(("estimated", "unpriced", "disagreeing", "expired", "expiring", "over"), WARN),
    **dict.fromkeys(("running", "sent", "applying", "in_progress", "claimed", "started", "open"), ACTIVE),
    **dict.fromkeys(("queued", "pending", "waiting", "scheduled", "draft", "new", "missing"), WAITING),
    **dict.fromkeys(("cancelled", "withdrawn", "skipped", "superseded", "archived", "paused", "disabled"), QUIET),
}


CONTROLS = {"checkbox": "form-check-input", "radio": "form-check-input", "select": "form-select", "range": "form-range"}
KEY_NAMES = {"mod": "Ctrl", "ctrl": "Ctrl", "enter": "↵", "escape": "Esc", "arrowleft": "←", "arrowright": "→"}
RANK_LAST = mark_safe(' data-rank="last"')
DIFFERS = mark_safe(
    '<span class="g-env-dot" title="Differs from the environment before it"></span>'
    '<span class="visually-hidden">(differs)</span>'
)


@register.simple_tag
def pill(
    environment: str, version: int | None, *, url: str = "", counts: bool = False, differs: bool = False
) -> SafeString:
    """Draw an environment pill, "production v7"; `counts` marks a guarded place, `differs` draws a dot.

    Written in one go, for a list holds hundreds of them.
    """
    return format_html(
        '<{tag} class="g-env"{href}{rank}><span class="g-env-name">{environment}</span>'
        '<span class="g-env-version">{version}</span>{dot}</{tag}>',
        tag="a" if url else "span",
        href=format_html(' href="{}"', url) if url else "",
        rank=RANK_LAST if counts else "",
        environment=environment,
        version=f"v{version}" if version else "nothing",
        dot=DIFFERS if differs else "",
    )


@register.simple_tag
def icon(name: str, label: str = "", size: str = "") -> SafeString:
    """Draw an icon of the sprite; it is decoration unless it carries a label. `size` is sm, lg or xl."""
    known = name if name in ICONS else FALLBACK
    classes = f"icon icon-{size}" if size else "icon"
    sprite = static("img/icons.svg")
    if label:
        return format_html(
            '<svg class="{}" role="img" aria-label="{}"><use href="{}#{}"></use></svg>', classes, label, sprite, known
        )
    return format_html(
        '<svg class="{}" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>', classes, sprite, known
    )


@register.filter
def money(amount: Decimal | int | None, currency: str = "USD") -> str:
    """Show an amount of money; nothing is "unpriced"."""
    return formats.money(amount, currency)


@register.filter
def exact_money(amount: Decimal | int | None, currency: str = "USD") -> str:
    """Show an amount of money with every digit."""
    return formats.exact_money(amount, currency)


@register.filter
def number(value: Decimal | float | None, digits: int | None = None) -> str:
    """Show a number with its thousands separated."""
    return formats.number(value, digits)


@register.filter
def compact(value: Decimal | float | None) -> str:
    """Show a large number in three digits and a unit."""
    return formats.compact(value)


@register.filter
def percent(share: Decimal | float | None, digits: int = 0) -> str:
    """Show a share of 1 as a percentage."""
    return formats.percent(share, digits)


@register.filter
def duration_ms(milliseconds: Decimal | float | None) -> str:
    """Show milliseconds as ms, s, min or h."""
    return formats.duration(milliseconds)


@register.filter
def initials(name: Any) -> str:
    """Show the letters that stand for a person."""
    return formats.initials(str(name))


@register.filter
def ago(moment: datetime | None) -> SafeString:
    """Show how long ago a moment was, in a <time> whose title is the moment in full."""
    if moment is None:
        return SafeString("never")
    return format_html(
        '<time datetime="{}" title="{}" data-ago>{}</time>',
        moment.isoformat(),
        formats.absolute(moment, timezone.get_current_timezone()),
        formats.relative(moment, timezone.localtime(timezone.now())),
    )


@register.filter
def due(moment: datetime) -> str:
    """Show how long it is until a moment. What should have come by now is expected any moment, never "just now"."""
    now = timezone.localtime(timezone.now())
    return formats.relative(moment, now) if moment - now > SOON else "any moment now"


@register.filter
def in_textarea(text: str) -> str:
    """Put a text into a <textarea> exactly: browsers drop one newline after the tag, so one stands before the text."""
    return f"\n{text}"


@register.filter
def as_json(value: Any) -> str:
    """Write a value as JSON that people can read."""
    return json.dumps(value, indent=2, ensure_ascii=False)


@register.filter
def from_iso(text: str | None) -> datetime | None:
    """Read a moment that was frozen as text, so that `date` can show it in the workspace's zone."""
    return datetime.fromisoformat(text).astimezone(timezone.get_current_timezone()) if text else None


@register.filter
def highlight_variables(text: Any, known: Iterable[str] | None = None) -> SafeString:
    """Escape the text, then mark each {{variable}}; one that is not among `known` is marked as unknown."""
    names = None if known is None else set(known)

    def mark(match: re.Match[str]) -> str:
        unknown = names is not None and match.group(1).split(".")[0] not in names
        classes = "g-var g-var-unknown" if unknown else "g-var"
        title = ' title="Not declared"' if unknown else ""
        return f'<span class="{classes}"{title}>{match.group(0)}</span>'

    # Safe: the text is escaped first, and what the pattern finds holds word characters and braces alone.
    return mark_safe(VARIABLE.sub(mark, escape(str(text))))  # noqa: S308


@register.filter
def state_tone(state: Any) -> str:
    """Return good, bad, warn, active or idle for the name of a state."""
    return STATES.get(str(state).lower(), QUIET)[0]


@register.filter
def state_icon(state: Any) -> str:
    """Return the icon for the name of a state."""
    return STATES.get(str(state).lower(), ("idle", "circle-dot"))[1]


@register.filter
def words(name: Any) -> str:
    """Turn a code name into words: changes_requested is "Changes requested"."""
    return str(name).replace("_", " ").replace("-", " ").strip().capitalize()


@register.filter
def get(mapping: Any, key: Any) -> Any:
    """Look a key up in a mapping; nothing when it is absent."""
    return mapping.get(key) if mapping else None


@register.tag
def capture(parser: Parser, token: Token) -> "CaptureNode":
    """Render a region once and keep it under a name: {% capture name %}…{% endcapture %}."""
    try:
        _, name = token.split_contents()
    except ValueError as error:
        raise template.TemplateSyntaxError("capture takes one name") from error
    nodelist = parser.parse(("endcapture",))
    parser.delete_first_token()
    return CaptureNode(nodelist, name)


class CaptureNode(template.Node):
    """Keep what its inside renders to, stripped, in the context."""

    def __init__(self, nodelist: NodeList, name: str) -> None:
        self.nodelist = nodelist
        self.name = name

    def render(self, context: Context) -> SafeString:
        # Not inside a pushed layer: the name must outlive the tag.
        # Safe: what a template renders is escaped already; only its edges are trimmed.
        context[self.name] = mark_safe(self.nodelist.render(context).strip())  # noqa: S308
        return SafeString("")


@register.filter
def control(field: BoundField) -> SafeString:
    """Draw a form field's widget with the classes of its kind, marked invalid when it has errors."""
    kind = getattr(field.field.widget, "input_type", "textarea")
    own = str(field.field.widget.attrs.get("class", ""))
    attrs: dict[str, Any] = {"class": f"{CONTROLS.get(kind, 'form-control')} {own}".strip()}
    if field.errors:
        attrs["class"] += " is-invalid"
        attrs["aria-invalid"] = "true"
    return field.as_widget(attrs=attrs)


@register.filter
def is_check(field: BoundField) -> bool:
    """Say whether the field is a single tick box, whose label stands behind it."""
    return getattr(field.field.widget, "input_type", "") == "checkbox" and not field.use_fieldset


@register.filter
def key_caps(keys: str) -> list[str]:
    """Split "ctrl+s" or "g p" into the caps to draw."""
    return [KEY_NAMES.get(key, key.capitalize() if len(key) > 1 else key) for key in re.split(r"[+ ]", keys) if key]
