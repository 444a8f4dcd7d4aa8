"""Serve the practice provider without loading Django: `python -m apps.llm.practice_provider --port N`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
