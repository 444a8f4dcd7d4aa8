"""What is held outlives whoever held it: a process that is killed, and a database that is."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from apps.costs.budgets import sweeping
from apps.costs.models import BudgetPeriod, Reservation
from llmops_site.postgres import Cluster
from tests.costs.budgets import make_budget

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]

HOLD = """
import sys, time
import django; django.setup()
from apps.accounts.models import Workspace
from django.utils import timezone
from tests.costs.budgets import reserve
print(reserve(Workspace.objects.get(), "0.10", at=timezone.now()), flush=True)
time.sleep(60)
"""

# A reservation does not wait for the disk; the commit that follows, the call's own, does so for both.
HOLD_AND_LEAVE = """
import sys, time
import django; django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0, skip_checks=True)
from django.utils import timezone
from apps.costs.models import LetGo
from tests import factories
from tests.costs.budgets import make_budget, reserve
workspace = factories.make_workspace()
make_budget(workspace, "1.00")
reserve(workspace, "0.10", at=timezone.now())
LetGo.objects.create(month="2001-01-01", charges=0)
print("left", flush=True)
time.sleep(60)
"""


def child(program, url):
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, env=environment, stdout=subprocess.PIPE)


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.communicate()


@pytest.mark.django_db(transaction=True)
def test_a_killed_process_leaves_its_room_held_until_it_expires(workspace):
    budget = make_budget(workspace, "1.00")
    settings = connection.settings_dict
    login = f"{quote(settings['USER'])}:{quote(settings['PASSWORD'], safe='')}"
    process = child(HOLD, f"postgres://{login}@/{settings['NAME']}?host={settings['HOST']}&port={settings['PORT']}")
    try:
        held = process.stdout.readline().decode().strip()
    finally:
        kill(process)
    assert str(Reservation.objects.get(state="open").pk) == held
    assert BudgetPeriod.objects.get(budget=budget).reserved == Decimal("0.10")
    assert sweeping.expire(timezone.now()) == 0
    assert sweeping.expire(timezone.now() + timedelta(minutes=6)) == 1
    assert BudgetPeriod.objects.get(budget=budget).reserved == 0


def test_what_a_call_holds_when_it_leaves_is_there_after_the_database_was_killed(tmp_path):
    tmp_path.chmod(0o755)
    cluster = Cluster(tmp_path / "postgres")
    cluster.start()
    try:
        process = child(HOLD_AND_LEAVE, cluster.url)
        try:
            assert process.stdout.readline() == b"left\n"
            kill(cluster.process)
        finally:
            kill(process)
        cluster.start()
        with psycopg.connect(cluster.url) as database:
            row = database.execute("SELECT reserved, (SELECT count(*) FROM costs_reservation) FROM costs_budgetperiod")
            assert row.fetchone() == (Decimal("0.10"), 1)
    finally:
        cluster.stop()
