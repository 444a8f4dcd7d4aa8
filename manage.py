#!/usr/bin/env python
"""Run Galley's commands: `manage.py up` starts the desk, `manage.py help` lists the rest."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmops_site.settings")
    execute_from_command_line(sys.argv)
