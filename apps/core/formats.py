"""How numbers, money and time read: pure functions from a value to plain text."""

from datetime import datetime, tzinfo
from decimal import ROUND_HALF_EVEN, Decimal

SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹", "KRW": "₩"}
UNPRICED = "unpriced"
NOTHING = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
HARD_SPACE = "\u00a0"


def money(amount: Decimal | int | None, currency: str = "USD") -> str:
    """Return the amount with as many digits as help: two, or the first three that count when it is below a dime."""
    if amount is None:
        return UNPRICED
    value = _exact(amount)
    return _with_currency(value, _sensible_digits(abs(value)), currency)


def exact_money(amount: Decimal | int | None, currency: str = "USD") -> str:
    """Return the amount with every digit that it has, and at least two decimals."""
    if amount is None:
        return UNPRICED
    value = _exact(amount)
    exponent = value.normalize().as_tuple().exponent
    return _with_currency(value, max(2, -int(exponent)), currency)


def _exact(amount: Decimal | int) -> Decimal:
    if isinstance(amount, float):
        raise TypeError("Money is Decimal; a float has already lost digits.")
    return Decimal(amount)


def _sensible_digits(size: Decimal) -> int:
    if size == 0 or size >= Decimal("0.1"):
        return 2
    digits = 2 - size.adjusted()
    rounded = size.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_EVEN)
    return max(2, -int(rounded.normalize().as_tuple().exponent))


def _with_currency(value: Decimal, digits: int, currency: str) -> str:
    rounded = abs(value).quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_EVEN)
    sign = MINUS if value < 0 and rounded else ""
    code = (currency or "USD").upper()
    return f"{sign}{SYMBOLS.get(code, code + HARD_SPACE)}{rounded:,f}"


def number(value: Decimal | float | None, digits: int | None = None) -> str:
    """Return the number with thousands separated; `digits` fixes the decimals."""
    if value is None:
        return NOTHING
    shown = f"{value:,f}" if digits is None and isinstance(value, Decimal) else _grouped(value, digits)
    return shown.replace("-", MINUS)


def _grouped(value: Decimal | float, digits: int | None) -> str:
    return f"{value:,}" if digits is None else f"{value:,.{digits}f}"


def compact(value: Decimal | float | None) -> str:
    """Return 1,234 as 1.2k and 3,400,000 as 3.4M."""
    if value is None:
        return NOTHING
    size = abs(float(value))
    for bound, unit in ((1_000_000_000, "B"), (1_000_000, "M"), (1_000, "k")):
        # 999,950 would round to 1000.0k: it belongs to the next unit.
        if size >= bound * 0.99995 and size >= 1_000:
            short = f"{float(value) / bound:.1f}".removesuffix(".0")
            return short.replace("-", MINUS) + unit
    return number(value) if float(value).is_integer() else number(value, 1)


def percent(share: Decimal | float | None, digits: int = 0) -> str:
    """Return a share of 1 as a percentage: 0.123 is 12 %."""
    if share is None:
        return NOTHING
    return f"{Decimal(str(share)) * 100:,.{digits}f}{HARD_SPACE}%".replace("-", MINUS)


def duration(milliseconds: Decimal | float | None) -> str:
    """Return a span of milliseconds in the two units that matter."""
    if milliseconds is None:
        return NOTHING
    spent = float(milliseconds)
    if spent < 999.5:
        return f"{spent:.0f}{HARD_SPACE}ms"
    if spent < 59_995:
        return f"{spent / 1000:.2f}".rstrip("0").rstrip(".") + f"{HARD_SPACE}s"
    minutes, seconds = divmod(round(spent / 1000), 60)
    if minutes < 60:
        return f"{minutes}{HARD_SPACE}min {seconds}{HARD_SPACE}s" if seconds else f"{minutes}{HARD_SPACE}min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}{HARD_SPACE}h {minutes}{HARD_SPACE}min" if minutes else f"{hours}{HARD_SPACE}h"


def relative(moment: datetime, now: datetime) -> str:
    """Return how long ago (or until) the moment is, as people say it; a date beyond a week."""
    seconds = (now - moment).total_seconds()
    span = _span(abs(seconds))
    if span is None:
        local = moment.astimezone(now.tzinfo)
        return f"{local.day} {local:%b}" if local.year == now.year else f"{local.day} {local:%b %Y}"
    if span == "":
        return "just now"
    return f"{span} ago" if seconds > 0 else f"in {span}"


def _span(seconds: float) -> str | None:
    if seconds < 45:
        return ""
    if seconds < 45 * 60:
        return f"{max(1, round(seconds / 60))}{HARD_SPACE}min"
    if seconds < 22 * 3600:
        return f"{max(1, round(seconds / 3600))}{HARD_SPACE}h"
    if seconds < 7 * 86_400:
        days = max(1, round(seconds / 86_400))
        return f"{days}{HARD_SPACE}day" + ("s" if days > 1 else "")
    return None


def absolute(moment: datetime, zone: tzinfo | None) -> str:
    """Return the moment in full, in the zone, with its name."""
    local = moment.astimezone(zone)
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M:%S %Z}"


def initials(name: str) -> str:
    """Return the one or two letters that stand for a person."""
    words = name.split("@")[0].replace(".", " ").replace("_", " ").split()
    letters = [word[0] for word in words if word[0].isalnum()]
    if not letters:
        return "?"
    return (letters[0] + (letters[-1] if len(letters) > 1 else "")).upper()
