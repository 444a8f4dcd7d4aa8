"""What a new prompt may begin with: patterns that are known to work, each a content that can be filled at once."""

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Starter:
    """One pattern: its name in addresses, a title, one sentence, and the content of the first draft."""

    name: str
    title: str
    sentence: str
    kind: str
    messages: list[dict[str, str]]
    examples: list[dict[str, str]] = field(default_factory=list)
    variables: list[dict[str, Any]] = field(default_factory=list)

    def content(self) -> dict[str, Any]:
        """Return fields for a draft, a copy of its own."""
        return deepcopy({"messages": self.messages, "examples": self.examples, "variables": self.variables})


def _variable(name: str, example: str, description: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "string",
        "required": True,
        "default": None,
        "example": example,
        "description": description,
    }


def _system(*lines: str) -> dict[str, str]:
    return {"role": "system", "content": "\n".join(lines)}


def _user(content: str) -> dict[str, str]:
    return {"role": "user", "content": content}


BLANK = Starter(
    "blank",
    "Blank",
    "A system message and what the user says, to be written from scratch.",
    "chat",
    [_system("You are …", "", "Answer in …"), _user("{{input}}")],
)
ROLE = Starter(
    "role",
    "Role, context and format",
    "Says who answers, for whom, what is known and what the answer looks like: the right start for most prompts.",
    "chat",
    [
        _system(
            "You are an experienced editor at a publishing house.",
            "You help colleagues who write to customers and have little time.",
            "",
            "Use only what the text between the tags says. When something is missing, say what.",
            "",
            "Answer in this format:",
            "Summary: one sentence",
            "Open questions: a list of at most three, or 'none'",
        ),
        _user("<text>\n{{text}}\n</text>"),
    ],
    variables=[
        _variable(
            "text",
            "Our autumn catalogue comes out on 3 September. The cover is not decided yet.",
            "What is to be read.",
        )
    ],
)
FEW_SHOT = Starter(
    "few-shot",
    "Few examples",
    "Shows the model what you want by examples, kept as rows that anybody can add to.",
    "chat",
    [
        _system("Say how a customer feels. Answer with one word only: happy, unhappy or neutral."),
        {"type": "examples"},
        _user("<message>\n{{message}}\n</message>"),
    ],
    examples=[
        {"input": "<message>\nArrived a day early, and what lovely paper!\n</message>", "output": "happy"},
        {"input": "<message>\nThe second pen in a row that leaks.\n</message>", "output": "unhappy"},
        {"input": "<message>\nDo you also have A5?\n</message>", "output": "neutral"},
    ],
    variables=[_variable("message", "Thank you, but the box was open.", "What the customer wrote.")],
)
STEPS = Starter(
    "step-by-step",
    "Step by step",
    "Lets the model work a question out in steps before it answers: for sums, rules and decisions.",
    "chat",
    [
        _system(
            "You decide whether an order may be sent back, by the rules between the tags.",
            "",
            "Work in these steps and write each down in one line:",
            "1. List the facts that matter.",
            "2. Name the rule that applies.",
            "3. Check whether every condition of that rule is met.",
            "",
            "Then write one last line: 'Answer: yes', 'Answer: no' or 'Answer: ask a colleague'.",
        ),
        _user("<rules>\n{{rules}}\n</rules>\n\n<request>\n{{request}}\n</request>"),
    ],
    variables=[
        _variable("rules", "Unused goods may be sent back within 30 days of delivery.", "What your company promises."),
        _variable("request", "I got the notebook three weeks ago and never opened it.", "What the customer asks for."),
    ],
)
TEXT = Starter(
    "text",
    "Blank text",
    "One text without roles, for completions and for texts that other prompts take in.",
    "text",
    [_user("{{input}}")],
)
PATTERNS = (ROLE, FEW_SHOT, STEPS)
STARTERS = (BLANK, *PATTERNS, TEXT)


def find(name: str) -> Starter | None:
    """Return the starter of that name, or None."""
    return next((starter for starter in STARTERS if starter.name == name), None)
