"""The one clock that all machines share."""

from datetime import datetime

from django.db import connection


def database_now() -> datetime:
    """Return the moment by the database's clock: a worker whose own is wrong must not decide by it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment
