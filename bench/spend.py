"""C5: the pages of finance over a month of charges: the overview, the explorer with every two dimensions, the list.

`python -m bench.spend` starts a database of its own. `--charges 10000000` is the size that the target speaks of; what the
pages read are sums, whose number stops growing once all combinations are there (after some 500,000 charges), but for
customers and people beside another dimension, which are added up from charges and so limited to the days that allow it.
Whole answers are timed, from the request to the last byte of HTML, without the network.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from itertools import permutations
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
TARGET_MONTH, TARGET_EXPLORER = 200.0, 300.0
ROUNDS = 3
LISTED = [{}, {"team_id": "1"}, {"team_id": "1", "model": "model-1"}, {"only": "unpriced"}, {"customer": "Nobody"}]
ADDED = [{"only": "estimated"}, {"team_id": "1", "source": "gateway"}, {"team_id": "1", "customer": "-"}]


def main() -> None:
    from llmops_site.postgres import Cluster

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--charges", type=int, default=1_000_000)
    parser.add_argument("--free", action="store_true", help="48,000 independent combinations, where sums help least")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="galley-bench-", ignore_cleanup_errors=True) as folder:
        cluster = Cluster(Path(folder))
        cluster.start()
        try:
            os.environ.update(DATABASE_URL=cluster.url, DJANGO_SETTINGS_MODULE="llmops_site.settings", DEBUG="0")
            os.environ.update(ALLOWED_HOSTS="testserver")
            os.environ.setdefault("SECRET_KEY", "only-for-measuring")
            measure(asked.charges, asked.free)
        finally:
            cluster.stop()


def measure(charges: int, free: bool) -> None:
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0, skip_checks=True)
    call_command("createcachetable", verbosity=0)
    from bench.ledger import FREE, TIED, loaded

    workspace = loaded("bench", charges, FREE if free else TIED)
    client = signed_in(workspace)
    report("C5 overview", timed(client, "spend_month", [{"by": name} for name in axes()]), TARGET_MONTH, charges)
    summed, added = [], []
    for rows, columns in permutations(axes(), 2):
        (added if {rows, columns} & {"customer", "user"} else summed).append({"rows": rows, "columns": columns})
    report("C5 explorer", timed(client, "spend_explorer", summed), TARGET_EXPLORER, charges)
    report("C5 explorer, customers and people", timed(client, "spend_explorer", added), TARGET_EXPLORER, charges)
    report("C5 list of charges, summed by day", timed(client, "spend_charges", LISTED), TARGET_EXPLORER, charges)
    report("C5 list of charges, added up", timed(client, "spend_charges", ADDED), TARGET_EXPLORER, charges)


def axes() -> list[str]:
    from apps.costs.spend import AXES

    return list(AXES)


def signed_in(workspace: Any) -> Any:
    from django.test import Client

    from apps.accounts.models import Membership, User

    user = User.objects.create(email="finance@example.org", name="Finance")
    Membership.objects.create(user=user, workspace=workspace, roles=["finance"])
    client = Client()
    client.force_login(user)
    return client


def timed(client: Any, name: str, questions: list[dict[str, str]]) -> list[tuple[float, str]]:
    """Return the milliseconds of each answer with its question; each is asked once before, to warm what stays warm."""
    from django.urls import reverse

    address, found = reverse(name, kwargs={"workspace": "bench"}), []
    for question in questions:
        for round_ in range(ROUNDS + 1):
            started = time.perf_counter()
            answer = client.get(address, question)
            took = (time.perf_counter() - started) * 1000
            if answer.status_code != 200:
                raise SystemExit(f"{name} {question}: {answer.status_code}")
            if round_:
                found.append((took, " ".join(question.values())))
    return found


def report(name: str, found: list[tuple[float, str]], target: float, charges: int) -> None:
    times = sorted(took for took, _ in found)
    p95, worst = times[int(len(times) * 0.95)], max(found)
    print(
        f"{name} at {charges:,} charges: p95 {p95:.0f} ms, target {target:.0f}; "
        f"p50 {statistics.median(times):.0f}, slowest {worst[0]:.0f} ({worst[1]})",
        flush=True,
    )


if __name__ == "__main__":
    main()
