"""How a program fetches a prompt: text to copy, made from what is really there."""

import pprint
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote


@dataclass(frozen=True)
class Snippet:
    label: str
    text: str


def snippets(*, base_url: str, name: str, environment: str, format: str, values: dict[str, Any]) -> list[Snippet]:
    """Return snippets for the shell and for Python."""
    url = f"{base_url}/api/v1/prompts/{quote(name)}?environment={environment}"
    return [
        Snippet("Shell", f'curl -H "Authorization: Bearer $GALLEY_KEY" \\\n  "{url}"'),
        Snippet("Python", _python(url, format, values)),
    ]


# How each format is filled with as little as a program needs.
FILL = {
    "mustache": r"""re.sub(r"{{\s*(\w+)\s*}}", lambda name: str(values[name[1]]), m["content"])""",
    "fstring": """m["content"].format(**values)""",
    "jinja": """SandboxedEnvironment().from_string(m["content"]).render(values)""",
}
IMPORTS = {
    "mustache": "import json, os, re, urllib.request",
    "fstring": "import json, os, urllib.request",
    "jinja": "import json, os, urllib.request\n\nfrom jinja2.sandbox import SandboxedEnvironment",
}


def _python(url: str, format: str, values: dict[str, Any]) -> str:
    return f'''{IMPORTS[format]}

request = urllib.request.Request(
    "{url}",
    headers={{"Authorization": f"Bearer {{os.environ['GALLEY_KEY']}}"}},
)
prompt = json.load(urllib.request.urlopen(request))
values = {pprint.pformat(values, sort_dicts=False, width=88)}
messages = [
    {{**m, "content": {FILL[format]}}}
    for m in prompt["messages"]
]'''
