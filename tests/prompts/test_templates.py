import time

import pytest

from apps.prompts import templates
from apps.prompts.templates import TemplateError


@pytest.mark.parametrize(
    ("format", "text"),
    [
        ("mustache", "Dear {{name}}, about {{ order }} and {{name}}."),
        ("fstring", "Dear {name}, about {order} and {name}."),
        ("jinja", "Dear {{ name }}, about {% if order %}{{ order }}{% endif %}."),
    ],
)
def test_each_format_finds_its_names_in_order(format: str, text: str) -> None:
    assert templates.names_in([{"role": "user", "content": text}], format) == ["name", "order"]


@pytest.mark.parametrize(
    ("format", "text"), [("mustache", "a {{x}} b"), ("fstring", "a {x} b"), ("jinja", "a {{ x }} b")]
)
@pytest.mark.parametrize("value", ["{{x}}", "العربية ‏", "ไทย", "👩🏽‍🚀", "<script>", "{% raw %}"])
def test_a_value_arrives_exactly_and_is_never_a_template_itself(format: str, text: str, value: str) -> None:
    assert templates.fill(text, format, {"x": value}) == f"a {value} b"


def test_other_values_than_text_are_spelled_as_json() -> None:
    assert templates.fill("{{n}} {{b}} {{l}}", "mustache", {"n": 1.5, "b": True, "l": ["é"]}) == '1.5 true ["é"]'


def test_doubled_braces_are_braces_in_fstrings() -> None:
    assert templates.fill('{{"a": {x}}}', "fstring", {"x": "1"}) == '{"a": 1}'


@pytest.mark.parametrize(
    ("format", "text"),
    [
        ("mustache", "{{first name}}"),
        ("mustache", "{{#if x}}"),
        ("fstring", "{x.__class__}"),
        ("fstring", "{x!r}"),
        ("fstring", "{x:>99999999}"),
        ("fstring", "{x"),
        ("jinja", "{{ x"),
        ("jinja", "{% for a in x %}"),
    ],
)
def test_a_broken_text_is_refused(format: str, text: str) -> None:
    with pytest.raises(TemplateError):
        templates.names_in([{"role": "user", "content": text}], format)


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ x.__init__.__globals__ }}",
        "{{ x|attr('__class__') }}",
        "{% for i in range(10**9) %}{% endfor %}",
        "{{ 'a' * 10**9 }}",
        "{{ 9 ** 9 ** 9 }}",
        "{% include 'settings.py' %}",
        "{% import 'os' as os %}",
        "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
        "{% for a in x %}{% for b in x %}{% for c in x %}.{% endfor %}{% endfor %}{% endfor %}",
        "{% for a in x recursive %}{{ loop(x) }}{% endfor %}",
        "{{ x.format(y) }}",
    ],
)
def test_hostile_jinja_is_refused_before_it_runs(text: str) -> None:
    with pytest.raises(TemplateError):
        templates.names_in([{"role": "user", "content": text}], "jinja")


def test_a_loop_over_a_loop_stops_at_the_size_limit() -> None:
    text = "{% for a in x %}{% for b in x %}" + "y" * 100 + "{% endfor %}{% endfor %}"
    began = time.monotonic()
    with pytest.raises(TemplateError, match="2 MB"):
        templates.fill(text, "jinja", {"x": list(range(20_000))})
    assert time.monotonic() - began < 15


def test_jinja_reaches_into_given_values_only() -> None:
    text = "{% for item in items %}{{ loop.index }}. {{ item.name|upper }}\n{% endfor %}"
    assert templates.fill(text, "jinja", {"items": [{"name": "tea"}, {"name": "cup"}]}) == "1. TEA\n2. CUP\n"


def test_what_jinja_does_not_know_is_an_error_and_not_a_hole() -> None:
    with pytest.raises(TemplateError, match="no attribute"):
        templates.fill("{{ item.missing }}", "jinja", {"item": {}})


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("{{ x|join(x) }}", {"x": "y" * 100_000}),
        ("{{ x|join(y) }}", {"x": ["a"] * 100_000, "y": "z" * 100_000}),
        ("{% for a in x %}{% for b in x %}{% endfor %}{% endfor %}", {"x": "y" * 100_000}),
        ("{% for a in x %}{% for b in x %}{% endfor %}{% endfor %}", {"x": list(range(5_000))}),
        ("{% for a in 'yyyyyy' %}{% endfor %}", {}),
        ("{{ 1|round(3000000, 'ceil') }}", {}),
    ],
)
def test_what_would_take_long_or_much_is_refused_at_once(text: str, values: dict[str, object]) -> None:
    began = time.monotonic()
    with pytest.raises(TemplateError):
        templates.fill(text, "jinja", values)
    assert time.monotonic() - began < 5


def test_loops_and_joins_of_lists_still_work() -> None:
    text = "{{ names|join(', ') }}: {% for name in names %}{{ loop.index }}{% endfor %} {{ 2.345|round(2) }}"
    assert templates.fill(text, "jinja", {"names": ["a", "b"]}) in ("a, b: 12 2.35", "a, b: 12 2.34")
