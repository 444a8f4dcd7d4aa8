"""What every page leans on: formats, icons, escaping, components, and the vendored files."""

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import time_machine
from django import forms
from django.conf import settings
from django.template import Context, Template
from django.template.loader import render_to_string
from django.utils.html import escape
from hypothesis import given
from hypothesis import strategies as st

from apps.core import formats
from apps.core.icons import ICONS
from apps.core.templatetags import galley

ROOT = Path(settings.BASE_DIR)
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        (Decimal("1234.5"), "USD", "$1,234.50"),
        (Decimal("0.000123"), "USD", "$0.000123"),
        (Decimal("0.0000001239"), "USD", "$0.000000124"),
        (Decimal("0.05"), "USD", "$0.05"),
        (Decimal("0.314159"), "USD", "$0.31"),
        (Decimal("0.09999"), "USD", "$0.10"),
        (Decimal("-3"), "EUR", "−€3.00"),  # noqa: RUF001
        (Decimal("-0.001"), "USD", "−$0.001"),  # noqa: RUF001
        (Decimal(0), "USD", "$0.00"),
        (7, "CHF", "CHF\u00a07.00"),
        (None, "USD", "unpriced"),
    ],
)
def test_money_shows_the_digits_that_help(amount, currency, shown):
    assert galley.money(amount, currency) == shown


def test_money_refuses_a_float():
    with pytest.raises(TypeError):
        galley.money(0.1)


@pytest.mark.parametrize(
    ("amount", "shown"), [("0.000123456789", "$0.000123456789"), ("1234.50", "$1,234.50"), ("1E+3", "$1,000.00")]
)
def test_exact_money_shows_every_digit(amount, shown):
    assert galley.exact_money(Decimal(amount)) == shown


@given(st.decimals(min_value=0, max_value=10**12, allow_nan=False, allow_infinity=False, places=12))
def test_exact_money_can_be_read_back(amount):
    assert Decimal(galley.exact_money(amount).lstrip("$").replace(",", "")) == amount


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (950, "950"), (1234, "1.2k"), (999_960, "1M"), (3_400_000, "3.4M"), (-2500, "−2.5k")],  # noqa: RUF001
)
def test_compact_numbers(value, shown):
    assert galley.compact(value) == shown


@pytest.mark.parametrize(
    ("spent", "shown"),
    [(850, "850 ms"), (999.6, "1 s"), (1234, "1.23 s"), (75_000, "1 min 15 s"), (7_260_000, "2 h 1 min")],
)
def test_durations_use_the_units_that_matter(spent, shown):
    assert galley.duration_ms(spent).replace("\u00a0", " ") == shown


def test_percent_is_of_a_share_of_one():
    assert (galley.percent(Decimal("0.125"), 1), galley.percent(0.5)) == ("12.5\u00a0%", "50\u00a0%")


def test_a_number_that_is_not_there_is_a_dash():
    assert {galley.number(None), galley.compact(None), galley.percent(None), galley.duration_ms(None)} == {
        formats.NOTHING
    }


def test_numbers_separate_thousands():
    assert (galley.number(1234567), galley.number(Decimal("-1234.5"), 2)) == ("1,234,567", "−1,234.50")  # noqa: RUF001


@pytest.mark.parametrize(
    ("before", "shown"),
    [
        (timedelta(seconds=20), "just now"),
        (timedelta(minutes=12), "12 min ago"),
        (timedelta(hours=5), "5 h ago"),
        (timedelta(days=1), "1 day ago"),
        (timedelta(days=3), "3 days ago"),
        (timedelta(minutes=-10), "in 10 min"),
        (timedelta(days=40), "11 Oct"),
        (timedelta(days=400), "16 Oct 2025"),
    ],
)
def test_relative_times_read_as_people_say_them(before, shown):
    assert formats.relative(NOON - before, NOON).replace("\u00a0", " ") == shown


@time_machine.travel(NOON, tick=False)
def test_ago_carries_the_moment_for_machines_and_in_full():
    shown = galley.ago(NOON - timedelta(hours=2))
    assert 'datetime="2026-11-20T10:00:00+00:00"' in shown
    assert 'title="Fri 20 Nov 2026, 10:00:00 UTC"' in shown


@pytest.mark.parametrize(
    ("ahead", "words"),
    [
        (timedelta(minutes=-3), "any moment now"),
        (timedelta(seconds=20), "any moment now"),
        (timedelta(minutes=4), "in 4\N{NO-BREAK SPACE}min"),
    ],
)
@time_machine.travel(NOON, tick=False)
def test_what_is_due_was_not_just_now(ahead, words):
    assert galley.due(NOON + ahead) == words


def test_ago_of_nothing_is_never():
    assert galley.ago(None) == "never"


@pytest.mark.parametrize(
    ("name", "shown"), [("Ada Lindqvist", "AL"), ("ada@example.com", "A"), ("bo.chen@example.com", "BC"), ("", "?")]
)
def test_initials(name, shown):
    assert galley.initials(name) == shown


def test_variables_are_marked_and_unknown_ones_told_apart():
    shown = galley.highlight_variables("Hi {{ name }}, {{nick}}", ["name"])
    assert '<span class="g-var">{{ name }}</span>' in shown
    assert '<span class="g-var g-var-unknown" title="Not declared">{{nick}}</span>' in shown


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        '{{x}}<img src=x onerror="alert(1)">',
        "{{<b>x</b>}}",
        '{{ x" onmouseover="alert(1) }}',
        "{{x}}</span><svg onload=alert(1)>",
    ],
)
def test_hostile_text_is_escaped_before_it_is_marked(hostile):
    shown = galley.highlight_variables(hostile)
    assert re.sub(r'</?span( class="g-var")?>', "", shown) == escape(hostile)


@given(st.text())
def test_marking_never_adds_a_tag_but_its_own(text):
    tags = set(re.findall(r"<[^>]*>", galley.highlight_variables(text)))
    assert tags <= {'<span class="g-var">', "</span>"}


def test_an_icon_is_decoration_unless_labelled():
    assert 'aria-hidden="true"' in galley.icon("bell")
    assert 'role="img" aria-label="Unread"' in galley.icon("bell", "Unread")


def test_an_unknown_icon_falls_back_to_one_that_exists():
    assert "#help-circle" in galley.icon("no-such-icon")


def test_the_sprite_holds_every_icon_of_the_list():
    sprite = (ROOT / "static/img/icons.svg").read_text()
    assert set(re.findall(r'<symbol id="([^"]+)"', sprite)) == set(ICONS)


def test_every_icon_that_a_state_or_a_template_names_is_in_the_list():
    named = {icon for _, icon in galley.STATES.values()}
    for page in (ROOT / "templates").rglob("*.html"):
        named |= set(re.findall(r'(?:{% icon |icon=)"([a-z][a-z0-9-]+)"', page.read_text()))
    assert named - set(ICONS) == set()


def test_a_state_shows_its_word_its_icon_and_its_tone():
    shown = render_to_string("components/_status.html", {"state": "changes_requested"})
    assert 'data-tone="warn"' in shown
    assert "#alert-triangle" in shown
    assert "Changes requested" in shown


def test_captured_text_is_escaped_once():
    page = Template("{% load galley %}{% capture x %} {{ name }} {% endcapture %}[{{ x }}]")
    assert page.render(Context({"name": "a & <b>"})) == "[a &amp; &lt;b&gt;]"


class Invitation(forms.Form):
    email = forms.EmailField(help_text="We write to it once.")


def test_a_field_joins_its_help_and_its_error_to_its_control():
    shown = render_to_string("components/_field.html", {"field": Invitation({"email": "nope"})["email"]})
    assert 'aria-describedby="id_email_helptext id_email_error"' in shown
    assert 'id="id_email_helptext"' in shown
    assert 'id="id_email_error"' in shown
    assert 'aria-invalid="true"' in shown


def test_a_diff_escapes_what_it_compares():
    shown = render_to_string("components/_diff.html", {"ops": [("insert", "<i>new</i>"), ("delete", "old")]})
    assert "<ins>&lt;i&gt;new&lt;/i&gt;</ins><del>old</del>" in shown


def test_a_copyable_snippet_is_escaped():
    assert "&lt;script&gt;" in render_to_string("components/_copy.html", {"text": "<script>"})


@pytest.mark.parametrize("page", ["403.html", "404.html", "500.html", "errors/refused.html"])
def test_error_pages_need_no_context_and_offer_a_way_back(page):
    shown = Template(f'{{% include "{page}" %}}').render(Context({}))
    assert shown.count("<h1>") == 1
    assert 'href="/"' in shown


def test_every_vendored_file_is_the_one_in_the_manifest():
    files = json.loads((ROOT / "static/vendor/manifest.json").read_text())["files"]
    changed = [
        one["path"] for one in files if one["sha256"] != hashlib.sha256((ROOT / one["path"]).read_bytes()).hexdigest()
    ]
    assert changed == []


def test_every_vendored_file_is_in_the_manifest():
    listed = {one["path"] for one in json.loads((ROOT / "static/vendor/manifest.json").read_text())["files"]}
    folders = [ROOT / "static/vendor", ROOT / "tests/vendor"]
    there = {str(path.relative_to(ROOT)) for folder in folders for path in folder.rglob("*") if path.is_file()}
    assert {path for path in there - listed if "LICENSE" not in path} == {
        "static/vendor/manifest.json",
        "static/vendor/README.md",
    }


def test_every_script_of_ours_is_short_enough_to_read():
    lengths = {path.name: len(path.read_text().splitlines()) for path in (ROOT / "static/js").glob("*.js")}
    assert {name for name, length in lengths.items() if length > 100} == set()
