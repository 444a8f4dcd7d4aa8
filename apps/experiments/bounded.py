"""Patterns and schemas that people wrote, matched in a child process that can be killed.

Python's `re` cannot be interrupted and holds the whole process while it backtracks, so neither a regex nor a JSON schema
(which may hold one) runs in a worker or web process. One child per process answers line by line; a question that takes
longer than the limit kills the child, and the next question starts another. The child ends with its parent's pipe.
"""

import json
import subprocess
import sys
import threading
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

TIME_LIMIT = 1.0
START_LIMIT = 20.0
MEMORY_LIMIT = 1 << 30


class TooSlow(Exception):
    """The question was not answered within the time limit."""


class Child:
    """A process that answers one question at a time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.process: subprocess.Popen[str] | None = None
        self.answers: SimpleQueue[str] = SimpleQueue()

    def ask(self, question: dict[str, Any], time_limit: float = TIME_LIMIT) -> str:
        """Return the child's answer: "" for yes, else the reason why not. Raises TooSlow."""
        with self.lock:
            process = self._running()
            assert process.stdin is not None  # noqa: S101
            try:
                process.stdin.write(json.dumps(question) + "\n")
                process.stdin.flush()
                answer = self.answers.get(timeout=time_limit)
            except (Empty, BrokenPipeError):
                self._kill()
                raise TooSlow from None
            if not answer:
                self._kill()
                raise TooSlow
            return str(json.loads(answer))

    def _running(self) -> subprocess.Popen[str]:
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-I", str(Path(__file__))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            self.answers = SimpleQueue()
            reader = threading.Thread(target=_read, args=(self.process, self.answers), daemon=True)
            reader.start()
            try:
                self.answers.get(timeout=START_LIMIT)  # the child says hello when its imports are done
            except Empty:
                self._kill()
                raise TooSlow from None
        return self.process

    def _kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def _read(process: subprocess.Popen[str], answers: "SimpleQueue[str]") -> None:
    """Pass on each line; an empty one says that the child is gone."""
    assert process.stdout is not None  # noqa: S101
    for line in process.stdout:
        answers.put(line)
    answers.put("")


child = Child()


def search(pattern: str, text: str) -> str:
    """Return "" when the pattern is found, else why not. Raises TooSlow."""
    return child.ask({"pattern": pattern, "text": text})


def fits_schema(schema: Any, value: Any) -> str:
    """Return "" when the value fits the JSON schema, else the first thing that does not. Raises TooSlow."""
    return child.ask({"schema": schema, "value": value})


def answer(question: dict[str, Any]) -> str:
    """Work one question out; this runs in the child."""
    if "pattern" in question:
        return _search(question["pattern"], question["text"])
    return _fits(question["schema"], question["value"])


def _search(pattern: str, text: str) -> str:
    import re

    try:
        return "" if re.search(pattern, text) else "no match"
    except re.error as error:
        return f"the pattern is not valid: {error}"


def _fits(schema: Any, value: Any) -> str:
    from jsonschema import Draft7Validator, exceptions, validators
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    validator = validators.validator_for(schema, default=Draft7Validator)
    try:
        validator.check_schema(schema)
        # An empty registry: a schema may not make us fetch what it refers to.
        found = exceptions.best_match(validator(schema, registry=Registry()).iter_errors(value))
    except exceptions.SchemaError as error:
        return f"the schema is not valid: {error.message[:200]}"
    except Unresolvable as error:
        return f"the schema refers to something outside itself: {error}"[:200]
    except RecursionError:
        return "the schema goes round in circles"
    if found is None:
        return ""
    place = found.json_path.removeprefix("$").lstrip(".")
    return f"{place + ': ' if place else ''}{found.message}"[:300]


def serve() -> None:
    """Answer questions from stdin until it closes, inside a memory limit."""
    import resource

    import jsonschema  # noqa: F401  (the first question must not pay for the import)

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
