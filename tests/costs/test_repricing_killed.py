"""A worker that is killed in the middle: the next goes on where it stopped, and nothing is priced twice."""

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote

import pytest
from django.db import connection

from apps.costs import ledger
from apps.costs.models import Charge, Repricing
from tests.costs import recount
from tests.costs.conftest import NOON, new_charge
from tests.costs.repricings import ask_by, price_by, run

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
CALLS = 3_000
WORK = """
import sys
import django; django.setup()
from apps.costs import repricing
repricing.BATCH = 100
repricing.advance(int(sys.argv[1]), stretch=60)
"""


def worker(found):
    settings = connection.settings_dict
    login = f"{quote(settings['USER'])}:{quote(settings['PASSWORD'], safe='')}"
    url = f"postgres://{login}@/{settings['NAME']}?host={settings['HOST']}&port={settings['PORT']}"
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.Popen([sys.executable, "-c", WORK, str(found.pk)], cwd=ROOT, env=environment)


@pytest.mark.django_db(transaction=True)
def test_a_killed_worker_leaves_what_the_next_one_goes_on_with(workspace, fay):
    ledger.record([new_charge(workspace.pk, NOON - timedelta(seconds=n), cost=None) for n in range(CALLS)])
    price_by(workspace, fay)("100")
    found = ask_by(workspace, fay)()
    process = worker(found)
    try:
        while process.poll() is None and not Repricing.objects.get().charges_seen:
            time.sleep(0.005)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    found.refresh_from_db()
    assert (found.state, 0 < found.charges_seen < CALLS) == ("running", True)
    found = run(found)
    assert (found.state, found.charges_seen, found.charges_changed) == ("done", CALLS, CALLS)
    assert found.after_total == Decimal("0.01") * CALLS
    assert Charge.objects.count() == 3 * CALLS
    assert recount.held(workspace.pk) == recount.wanted(Charge.objects.all(), workspace.zone)
