"""The guards against TRUNCATE, off in test databases because Django's flush truncates."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from apps.core.append_only import TRUNCATE_GUARD

FIND = "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal AND tgname LIKE %s"


def _switch(word: str, table: str = "%") -> None:
    with connection.cursor() as cursor:
        cursor.execute(FIND, [f"%{TRUNCATE_GUARD}%"])
        for found, trigger in cursor.fetchall():
            if table in ("%", found.strip('"')):
                cursor.execute(f'ALTER TABLE {found} {word} TRIGGER "{trigger}"')


def switch_off() -> None:
    _switch("DISABLE")


@contextmanager
def switched_on(table: str) -> Iterator[None]:
    """Guard one table as in a real database while the block runs."""
    _switch("ENABLE", table)
    try:
        yield
    finally:
        _switch("DISABLE", table)
