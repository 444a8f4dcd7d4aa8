#!/usr/bin/env python
"""Run Galley's commands: `manage.py up` starts the desk, `manage.py help` lists the rest."""

import os
import sys

from llmops_site.running import local, up

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmops_site.settings")
    if sys.argv[1:2] == ["up"] and "--help" not in sys.argv:
        # Before Django: `up` makes what the settings need.
        sys.exit(up.main(sys.argv[2:]))
    local.adopt()

    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
