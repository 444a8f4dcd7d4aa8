"""How a program fetches a prompt: text to copy, made from what is really there."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote


@dataclass(frozen=True)
class Snippet:
    label: str
    text: str


def snippets(*, base_url: str, name: str, environment: str, values: dict[str, Any]) -> list[Snippet]:
    """Return snippets for the shell and for Python."""
    url = f"{base_url}/api/v1/prompts/{quote(name)}?environment={environment}"
    return [
        Snippet("Shell", f'curl -H "Authorization: Bearer $GALLEY_KEY" \\\n  "{url}"'),
        Snippet("Python", _python(url, values)),
    ]


def _python(url: str, values: dict[str, Any]) -> str:
    """Fill in as the mustache format does: the shortest code that sends what the preview shows."""
    return f'''import json, os, re, urllib.request

request = urllib.request.Request(
    "{url}",
    headers={{"Authorization": f"Bearer {{os.environ['GALLEY_KEY']}}"}},
)
prompt = json.load(urllib.request.urlopen(request))
values = {json.dumps(values, ensure_ascii=False, indent=4)}
messages = [
    {{**m, "content": re.sub(r"{{{{\\s*(\\w+)\\s*}}}}", lambda v: str(values[v[1]]), m["content"])}}
    for m in prompt["messages"]
]'''
