"""The Celery application and its schedule. A task is a doorbell: what is due stands in the database."""

import os
from pathlib import Path
from typing import Any

from celery import Celery
from celery.contrib.django.task import DjangoTask
from celery.schedules import crontab
from celery.signals import setup_logging, worker_process_init
from django.db import transaction
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmops_site.settings")
TRANSPORT_ALIASES["filesystem"] = "llmops_site.running.folder_broker:Transport"


class Doorbell(DjangoTask):  # type: ignore[misc]
    """A task whose loss does no harm: what is due stands in the database and a beat task looks for it."""

    abstract = True

    def delay_on_commit(self, *args: Any, **kwargs: Any) -> None:
        """Ring after commit; a broker that is down is logged, and what was committed stays done."""

        def ring() -> None:
            # A function of its own: what Django logs about a robust hook asks for its name, and a partial has none.
            self.delay(*args, **kwargs)

        transaction.on_commit(ring, robust=True)


app = Celery("galley", task_cls=Doorbell)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.autodiscover_tasks(related_name="beat")

# What must happen at its moment does not stand behind runs and slow addresses: a worker of its own does it.
CLOCK = "clock"
app.conf.task_routes = {"apps.prompts.beat.*": {"queue": CLOCK}}
app.conf.beat_schedule = {
    "wake-runs": {"task": "apps.experiments.beat.wake_runs", "schedule": 5.0, "options": {"expires": 10}},
    "wake-notices": {"task": "apps.notices.beat.send_waiting_mail", "schedule": 30.0, "options": {"expires": 30}},
    "wake-webhooks": {"task": "apps.notices.beat.send_waiting_webhooks", "schedule": 15.0, "options": {"expires": 15}},
    "tell-failing-webhooks": {
        "task": "apps.notices.beat.tell_failing_webhooks",
        "schedule": 300.0,
        "options": {"expires": 300},
    },
    "forget-old-webhooks": {"task": "apps.notices.beat.forget_old_webhooks", "schedule": crontab(hour=4, minute=11)},
    "wake-invitations": {
        "task": "apps.accounts.beat.send_waiting_invitations",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "promote-due": {"task": "apps.prompts.beat.promote_due", "schedule": 10.0, "options": {"expires": 20}},
    "settle-requests": {"task": "apps.prompts.beat.settle_requests", "schedule": 300.0, "options": {"expires": 300}},
    "remind-of-look-backs": {
        "task": "apps.prompts.beat.remind_of_look_backs",
        "schedule": 900.0,
        "options": {"expires": 600},
    },
    "refresh-forecasts": {
        "task": "apps.prompts.beat.refresh_forecasts",
        "schedule": 3600.0,
        "options": {"expires": 600},
    },
    "sum-hours": {"task": "apps.llm.beat.sum_hours", "schedule": 60.0, "options": {"expires": 60}},
    "probe-lanes": {"task": "apps.llm.beat.probe_lanes", "schedule": 60.0, "options": {"expires": 60}},
    "sweep-texts": {"task": "apps.llm.beat.sweep_texts", "schedule": 600.0, "options": {"expires": 300}},
    "sweep-calls": {"task": "apps.llm.beat.sweep_calls", "schedule": 60.0, "options": {"expires": 60}},
    "expire-reservations": {
        "task": "apps.costs.beat.expire_reservations",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "wake-repricings": {"task": "apps.costs.beat.wake_repricings", "schedule": 30.0, "options": {"expires": 30}},
    "tell-budgets": {"task": "apps.costs.beat.tell_budgets", "schedule": 60.0, "options": {"expires": 60}},
    "verify-books": {"task": "apps.costs.beat.verify_books", "schedule": crontab(hour=3, minute=17)},
    # The public list comes with an upgrade: a day later at the latest its differences wait for finance.
    "propose-prices": {"task": "apps.costs.beat.propose_prices", "schedule": crontab(hour=5, minute=23)},
    "make-partitions": {"task": "apps.costs.beat.make_partitions", "schedule": 3600.0, "options": {"expires": 600}},
}


@app.on_after_configure.connect
def make_broker_folders(sender: Celery, **_: Any) -> None:
    """Create what the filesystem transport expects to find, again after somebody wiped it."""
    options = sender.conf.broker_transport_options or {}
    for name in ("data_folder_in", "processed_folder", "control_folder"):
        if name in options:
            Path(options[name]).mkdir(parents=True, exist_ok=True)


@setup_logging.connect
def keep_django_logging(**_: Any) -> None:
    """Stop Celery from replacing the logging that settings.py set up."""


@worker_process_init.connect
def forget_inherited_connections(**_: Any) -> None:
    """Drop database connections that a forked child must not share with its parent."""
    from django.db import connections

    for connection in connections.all(initialized_only=True):
        connection.connection = None
