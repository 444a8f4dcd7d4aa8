#!/usr/bin/env python
"""Run Galley's commands: `manage.py up` starts the desk, `manage.py help` lists the rest."""

import os
import signal
import sys

if __name__ == "__main__":
    starts_desk = sys.argv[1:2] == ["up"] and "--help" not in sys.argv
    if starts_desk and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Until `up` has something to stop, Ctrl-C just ends it: no traceback out of the middle of an import.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmops_site.settings")

    from llmops_site.running import local, up

    if starts_desk:
        # Before Django: `up` makes what the settings need.
        sys.exit(up.main(sys.argv[2:]))
    local.adopt()

    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
