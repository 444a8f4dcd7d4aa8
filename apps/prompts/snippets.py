"""How a program fetches a prompt: text to copy, made from what is really there."""

import json
import pprint
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote


@dataclass(frozen=True)
class Snippet:
    label: str
    text: str


@dataclass(frozen=True)
class Subject:
    """What there is to fetch: a prompt of a kind in an environment, and values to fill it with."""

    base_url: str
    name: str
    kind: str
    environment: str
    format: str
    values: dict[str, Any]
    placeholders: tuple[str, ...] = ()


def snippets(subject: Subject) -> list[Snippet]:
    """Return snippets for the shell, for Python, and for Langfuse's SDKs where they can fill the format."""
    url = f"{subject.base_url}/api/v1/prompts/{quote(subject.name)}"
    place = f"environment={quote(subject.environment)}"
    # JSON inside the single quotes of a shell.
    values = json.dumps({"values": subject.values}, ensure_ascii=False).replace("'", "'\\''")
    found = [
        Snippet("Shell: what is live", f'curl -H "Authorization: Bearer $GALLEY_KEY" \\\n  "{url}?{place}"'),
        Snippet(
            "Shell: filled in by Galley",
            f'curl -H "Authorization: Bearer $GALLEY_KEY" -H "Content-Type: application/json" \\\n'
            f"  -d '{values}' \\\n  \"{url}/render?{place}\"",
        ),
        Snippet(
            "Shell: everything that is live there",
            f'curl -H "Authorization: Bearer $GALLEY_KEY" \\\n  "{subject.base_url}/api/v1/prompts?{place}"',
        ),
    ]
    if subject.placeholders:
        python = Snippet("Python: filled in by Galley", _rendered(f"{url}/render?{place}", subject.values))
    else:
        python = Snippet("Python: the standard library", _python(f"{url}?{place}", subject.format, subject.values))
    found.append(python)
    if subject.format == "mustache":
        found += [
            Snippet("Python: Langfuse's SDK", _langfuse(subject)),
            Snippet("JavaScript: Langfuse's SDK", _js(subject)),
        ]
    return found


def _langfuse(subject: Subject) -> str:
    values = "".join(f"    {name}={value!r},\n" for name, value in subject.values.items())
    return f'''import os

from langfuse import Langfuse

langfuse = Langfuse(
    base_url="{subject.base_url}",
    public_key=os.environ["GALLEY_PUBLIC_ID"],
    secret_key=os.environ["GALLEY_KEY"],
    tracing_enabled=False,
)
prompt = langfuse.get_prompt({_text(subject.name)}, label="{subject.environment}", type="{subject.kind}")
{"messages" if subject.kind == "chat" else "text"} = prompt.compile(
{values})'''


def _js(subject: Subject) -> str:
    variables = {name: value for name, value in subject.values.items() if name not in subject.placeholders}
    lists = {name: subject.values.get(name, []) for name in subject.placeholders}
    given = [json.dumps(part, ensure_ascii=False, indent=2) for part in (variables, lists) if part or part is variables]
    return f'''import {{ LangfuseClient }} from "@langfuse/client";

const langfuse = new LangfuseClient({{
  baseUrl: "{subject.base_url}",
  publicKey: process.env.GALLEY_PUBLIC_ID,
  secretKey: process.env.GALLEY_KEY,
}});
const prompt = await langfuse.prompt.get({_text(subject.name)}, {{
  label: "{subject.environment}",
  type: "{subject.kind}",
}});
const {"messages" if subject.kind == "chat" else "text"} = prompt.compile({", ".join(given)});'''


def _text(name: str) -> str:
    """Spell a text as Python and JavaScript both read it."""
    return json.dumps(name, ensure_ascii=False)


def _rendered(url: str, values: dict[str, Any]) -> str:
    return f'''import json, os, urllib.request

values = {pprint.pformat(values, sort_dicts=False, width=88)}
request = urllib.request.Request(
    "{url}",
    json.dumps({{"values": values}}).encode(),
    {{"Authorization": f"Bearer {{os.environ['GALLEY_KEY']}}", "Content-Type": "application/json"}},
)
messages = json.load(urllib.request.urlopen(request))["messages"]'''


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
