"""What must be true before the parts start, done in one process: tables as the code expects them, and the cache's table.

Run as `python -m llmops_site.running.prepare`.
"""

import os
import sys


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmops_site.settings")
    import django

    django.setup()
    from django.core.management import CommandError, call_command
    from django.db import DatabaseError, connection
    from django.db.migrations.executor import MigrationExecutor

    try:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            call_command("migrate", interactive=False, verbosity=1)
        call_command("createcachetable", verbosity=0)
    except (DatabaseError, CommandError) as error:
        sys.stderr.write(f"The tables could not be brought up to date: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
