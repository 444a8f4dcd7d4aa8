"""Tables whose rows never change: the database refuses, whoever asks."""

import pgtrigger

TRUNCATE_GUARD = "no_truncate"

# A correction is a new row. Tests flush their database by TRUNCATE, so they switch the second guard off.
TRIGGERS = [
    pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete),
    pgtrigger.Trigger(
        name=TRUNCATE_GUARD,
        operation=pgtrigger.Truncate,
        when=pgtrigger.Before,
        level=pgtrigger.Statement,
        func="RAISE EXCEPTION 'append_only: % cannot be truncated', TG_TABLE_NAME;",
    ),
]
