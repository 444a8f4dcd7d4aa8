"""The house rules that a linter cannot see."""

import ast
import re
from pathlib import Path

import pytest
from django.apps import apps
from django.db.models import ForeignKey, ManyToManyField, OneToOneField

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ["reviews", "experiments", "prompts", "llm", "costs", "notices", "accounts", "core"]
PYTHON = sorted(
    path
    for folder in ("apps", "llmops_site", "tests")
    for path in (ROOT / folder).rglob("*.py")
    if "migrations" not in path.parts
)
# What the demo's people wrote is data: its length is no complexity.
CODE = [path for path in PYTHON if "content" not in path.parts]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
INTERFACES = re.compile(r"^apps/\w+/(views(/\w+)?|api(/\w+)?|tasks|beat|forms)\.py$")
WRITES = re.compile(r"\.objects\.(create|update_or_create|get_or_create|bulk_create)\(|\.save\(|\.delete\(|\.update\(")
# Words that hold for dictionaries and sessions too: what is written here is no row.
HARMLESS = re.compile(r"(context|session|headers|found|data)\.update\(")


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_relations_point_down() -> None:
    wrong = []
    for model in apps.get_models():
        if model._meta.app_label not in LAYERS:
            continue
        for field in model._meta.get_fields():
            if isinstance(field, ForeignKey | OneToOneField | ManyToManyField):
                other = field.related_model._meta.app_label
                if other in LAYERS and LAYERS.index(other) < LAYERS.index(model._meta.app_label):
                    wrong.append(f"{model.__name__}.{field.name}")
    assert wrong == []


@pytest.mark.parametrize("path", CODE, ids=relative)
def test_no_module_outgrows_its_room(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("path", [p for p in PYTHON if INTERFACES.match(relative(p))], ids=relative)
def test_interfaces_do_not_write(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if WRITES.search(line) and not HARMLESS.search(line)]
    assert lines == []


@pytest.mark.parametrize("path", TEMPLATES, ids=relative)
def test_templates_hold_no_script_and_no_style(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>|\son[a-z]+=\"|\sstyle=", text)
    # Help texts are ours and Django's; the password rules among them are a list.
    assert "|safe" not in text.replace("help_text|safe", "")


@pytest.mark.parametrize("path", TEMPLATES, ids=relative)
def test_every_htmx_element_states_its_target_and_its_swap(path: Path) -> None:
    for tag in re.findall(r"<[a-z]+[^>]*\shx-(?:get|post)=[^>]*>", path.read_text()):
        assert "hx-target=" in tag, tag
        assert "hx-swap=" in tag, tag


def is_action(node: ast.stmt) -> bool:
    """Tell whether a function is one whole transaction."""
    return isinstance(node, ast.FunctionDef) and any(
        ast.unparse(decorator) == "transaction.atomic" for decorator in node.decorator_list
    )


@pytest.mark.parametrize(
    "path", [p for p in PYTHON if re.match(r"^apps/\w+/actions(/\w+)?\.py$", relative(p))], ids=relative
)
def test_actions_take_names_only_and_say_what_they_do(path: Path) -> None:
    for node in filter(is_action, ast.parse(path.read_text()).body):
        assert isinstance(node, ast.FunctionDef)
        assert [argument.arg for argument in node.args.args] == [], node.name
        assert ast.get_docstring(node), node.name
