"""The command line of the practice provider."""

import argparse
import sys
from collections.abc import Mapping, Sequence

from .settings import FAULTS, Settings, plain_knobs

PORT = 9100


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add a flag for every knob."""
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; loopback unless PRACTICE_ALLOW_REMOTE=1"
    )
    parser.add_argument("--port", type=int, default=PORT, help="port to listen on; 0 takes a free one")
    parser.add_argument(
        "--until-stdin-closes", action="store_true", help="end when the process that started this one does"
    )
    for name, default in plain_knobs().items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(default, bool):
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=default)
        else:
            parser.add_argument(flag, type=type(default), default=default)
    for kind in FAULTS:
        shown = kind.replace("_", "-")
        parser.add_argument(
            f"--fault-{shown}-every", type=int, default=0, metavar="N", help=f"every Nth call fails: {shown}"
        )
        parser.add_argument(
            f"--fault-{shown}-next", type=int, default=0, metavar="K", help=f"the next K calls fail: {shown}"
        )


def settings_from(options: Mapping[str, object]) -> Settings:
    """Return the settings that the flags ask for; raise ValueError for an unfit value."""
    settings = Settings()
    settings.change({name: options[name] for name in settings.describe()})
    return settings


def run(options: Mapping[str, object]) -> None:
    """Serve as the flags ask; raise ValueError for an unfit value or address."""
    from .server import serve  # granian is slow to import for --help

    serve(
        str(options["host"]),
        int(str(options["port"])),
        settings_from(options),
        until_stdin_closes=bool(options["until_stdin_closes"]),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the flags and serve."""
    parser = argparse.ArgumentParser(prog="practice_provider", description="Serve a model provider to practise on.")
    add_flags(parser)
    options = vars(parser.parse_args(arguments))
    try:
        run(options)
    except ValueError as error:
        sys.stderr.write(f"practice_provider: {error}\n")
        return 2
    return 0
