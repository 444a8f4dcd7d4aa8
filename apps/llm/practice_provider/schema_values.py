"""Values that satisfy a JSON schema, taken from what is known where a name fits."""

import re
from collections.abc import Mapping
from typing import Any

from .chance import Chance

ALIASES = {
    "order_number": ("order", "orderid", "orderno", "reference"),
    "customer_name": ("name", "customer", "sender", "author", "fullname", "firstname"),
    "product": ("item", "article", "productname", "goods"),
    "topic": ("issue", "issuetype", "problem", "subject", "theme", "intent", "reasonforcontact"),
    "email": ("mail", "emailaddress"),
    "amount": ("price", "sum", "total", "cost", "value"),
    "date": ("when", "day", "orderdate", "deliverydate", "purchasedate"),
    "phone": ("telephone", "phonenumber", "mobile"),
    "label": ("category", "class", "classification", "topic", "queue", "department", "tag", "intent"),
    "verdict": (
        "winner",
        "choice",
        "better",
        "preferred",
        "preference",
        "result",
        "decision",
        "judgement",
        "judgment",
        "grade",
        "label",
        "answer",
    ),
    "score": ("rating", "grade", "points", "quality", "mark", "stars", "value"),
    "pass": ("passed", "passes", "ok", "correct", "acceptable", "satisfied", "met"),
    "reason": (
        "explanation",
        "rationale",
        "reasoning",
        "critique",
        "justification",
        "comment",
        "feedback",
        "analysis",
        "why",
    ),
    "reply": ("response", "message", "answer", "text", "body", "output", "content"),
    "summary": ("tldr", "text", "abstract", "digest", "content"),
    "confidence": ("certainty", "probability"),
}
MAX_DEPTH = 8


def value_for(name: str, known: Mapping[str, Any]) -> Any:
    """Return the known value whose name fits, or None."""
    plain = _plain(name)
    for key, value in known.items():
        if plain == _plain(key) or plain in ALIASES.get(key, ()):
            return value
    for key, value in known.items():
        if _plain(key) in plain or any(len(alias) > 4 and alias in plain for alias in ALIASES.get(key, ())):
            return value
    return None


def fill(schema: Mapping[str, Any], known: Mapping[str, Any], chance: Chance) -> Any:
    """Return a value that satisfies the schema."""
    return _Filler(schema, known, chance).value(schema, "", 0)


class _Filler:
    """One filling of one schema; keeps its root to follow references."""

    def __init__(self, root: Mapping[str, Any], known: Mapping[str, Any], chance: Chance) -> None:
        self.root, self.known, self.chance = root, known, chance

    def value(self, schema: Any, name: str, depth: int) -> Any:
        """Return a value for one place in the schema."""
        schema = self._resolve(schema)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._choice(schema["enum"], name)
        kind = _kind(schema)
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            return self._array(schema, name, depth)
        return self._leaf(schema, kind, name)

    def _leaf(self, schema: Mapping[str, Any], kind: str, name: str) -> Any:
        hint = value_for(name, self.known)
        if kind in {"integer", "number"}:
            return self._number(schema, kind, hint)
        if kind == "boolean":
            return hint if isinstance(hint, bool) else self.chance.happens(f"bool{name}", 0.5)
        if kind == "null" or (hint is None and _may_be_null(schema)):
            return None
        return self._text(schema, name, hint)

    def _resolve(self, schema: Any) -> Mapping[str, Any]:
        for _ in range(MAX_DEPTH):
            if not isinstance(schema, Mapping):
                return {}
            if isinstance(schema.get("$ref"), str):
                schema = self._referred(schema["$ref"])
                continue
            merged = next((schema[key] for key in ("anyOf", "oneOf", "allOf") if schema.get(key)), None)
            if merged is None:
                return schema
            schema = self._merge(schema, merged)
        return {}

    def _merge(self, schema: Mapping[str, Any], options: list[Any]) -> Mapping[str, Any]:
        rest = {key: value for key, value in schema.items() if key not in {"anyOf", "oneOf", "allOf"}}
        if schema.get("allOf"):
            for option in options:
                rest.update(self._resolve(option))
            return rest
        firm = [option for option in options if not (isinstance(option, Mapping) and option.get("type") == "null")]
        return {**rest, **self._resolve((firm or options)[0])}

    def _referred(self, reference: str) -> Any:
        place: Any = self.root
        for part in reference.removeprefix("#").strip("/").split("/"):
            if part:
                place = place.get(part, {}) if isinstance(place, Mapping) else {}
        return place

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        properties = schema.get("properties") or {}
        if depth >= MAX_DEPTH:
            properties = {key: value for key, value in properties.items() if key in (schema.get("required") or ())}
        return {key: self.value(value, key, depth + 1) for key, value in properties.items()}

    def _array(self, schema: Mapping[str, Any], name: str, depth: int) -> list[Any]:
        hint = value_for(name, self.known)
        least = int(schema.get("minItems", 0))
        size = max(least, 0 if depth >= MAX_DEPTH else 1)
        items = schema.get("items") or {"type": "string"}
        if isinstance(hint, (list, tuple)) and _kind(self._resolve(items)) == "string":
            most = int(schema.get("maxItems", len(hint)))
            return [str(value) for value in hint][: max(most, least)] or []
        return [self.value(items, name, depth + 1) for _ in range(size)]

    def _choice(self, options: list[Any], name: str) -> Any:
        hints = [
            value_for(name, self.known),
            self.known.get("verdict"),
            self.known.get("label"),
            self.known.get("topic"),
        ]
        for hint in hints:
            for option in options:
                if hint is not None and _plain(str(option)) == _plain(str(hint)):
                    return option
        passed = self.known.get("pass")
        if isinstance(passed, bool):
            words = (
                {"pass", "yes", "correct", "true", "good", "acceptable"}
                if passed
                else {"fail", "no", "incorrect", "false", "bad", "unacceptable"}
            )
            for option in options:
                if _plain(str(option)) in words:
                    return option
        return self.chance.pick(f"enum{name}", options)

    def _number(self, schema: Mapping[str, Any], kind: str, hint: Any) -> float:
        low: float = schema.get(
            "minimum", schema.get("exclusiveMinimum", -1) + 1 if "exclusiveMinimum" in schema else 0
        )
        high: float = schema.get(
            "maximum", schema["exclusiveMaximum"] - 1 if "exclusiveMaximum" in schema else max(low + 1, 1)
        )
        if kind == "integer" and "maximum" not in schema and "exclusiveMaximum" not in schema:
            high = low + 10
        share: float = hint if isinstance(hint, float) and 0 <= hint <= 1 else self.chance.draw("number")
        value: float = low + (high - low) * share
        fitted = min(max(value, low), high)
        return round(fitted) if kind == "integer" else round(fitted, 3)

    def _text(self, schema: Mapping[str, Any], name: str, hint: Any) -> str:
        formats = {
            "date": "2026-01-15",
            "date-time": "2026-01-15T09:00:00Z",
            "email": "someone@example.com",
            "uri": "https://example.com/",
            "uuid": "00000000-0000-4000-8000-000000000000",
        }
        text = (
            str(hint)
            if hint is not None
            else formats.get(str(schema.get("format", "")), f"{name.replace('_', ' ') or 'text'}")
        )
        least, most = int(schema.get("minLength", 0)), int(schema.get("maxLength", 4000))
        return text.ljust(least, ".")[:most]


def _kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((option for option in kind if option != "null"), "null")
    if kind:
        return str(kind)
    if "properties" in schema:
        return "object"
    return "array" if "items" in schema else "string"


def _may_be_null(schema: Mapping[str, Any]) -> bool:
    return isinstance(schema.get("type"), list) and "null" in schema["type"]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
