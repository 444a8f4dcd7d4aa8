"""P4: the list, its search and the page of one prompt at 10,000 prompts with 20 versions each.

The database is durable and analysed, pages are made whole by the test client in this process. Printed is the 95th
percentile in milliseconds and the most queries of each page.

    .venv/bin/python bench/library.py [--prompts 10000] [--versions 20] [--repeat 40]
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.compare import member, prepare  # noqa: E402

TARGET_MS, TARGET_QUERIES = 150, 15
FOLDERS = ("support", "sales", "legal", "product", "shared")
WORDS = [
    f"{a}{b}"
    for a in ("mail", "refund", "order", "tone", "greet", "sum", "note")
    for b in ("", "er", "ing", "s", "able")
]


def fill(workspace, user, prompts: int, versions: int) -> None:
    """Make prompts in nested folders, with versions, owners, tags, what is live, open requests and fetches."""
    from apps.prompts import actions
    from apps.prompts.models import Deployment, DeploymentArm, Environment, Prompt, Version

    actions.create_environments(workspace=workspace, acting_user=user)
    dice = random.Random(5)
    made = Prompt.objects.bulk_create(
        [
            Prompt(
                workspace=workspace, name=f"{dice.choice(FOLDERS)}/team-{number % 40}/{dice.choice(WORDS)}-{number}",
                owner=user, tags=dice.sample(["de", "en", "mail", "chat", "beta"], 2), description=f"Prompt {number}",
            )
            for number in range(prompts)
        ],
        batch_size=2_000,
    )  # fmt: skip
    for start in range(0, prompts, 500):
        rows = [
            _version(Version, prompt, number, dice, user)
            for prompt in made[start : start + 500]
            for number in range(1, versions + 1)
        ]
        Version.objects.bulk_create(rows, batch_size=2_000)
    newest = dict(Version.objects.filter(number=versions).values_list("prompt", "pk"))
    for environment in Environment.objects.filter(workspace=workspace):
        rows = Deployment.objects.bulk_create(
            [Deployment(prompt=prompt, environment=environment) for prompt in made], batch_size=2_000
        )
        DeploymentArm.objects.bulk_create(
            [DeploymentArm(deployment=row, version_id=newest[row.prompt_id]) for row in rows], batch_size=2_000
        )


def _version(model, prompt, number: int, dice: random.Random, user):
    text = " ".join(dice.choices(WORDS, k=60)) + f" only-{prompt.pk}-{number}"
    return model(
        prompt=prompt, number=number, messages=[{"role": "system", "content": text}, {"role": "user", "content": "{{message}}"}],
        message=f"Change {number}", author=user, content_hash=f"{prompt.pk:032x}{number:032x}",
    )  # fmt: skip


def measure(prompts: int, versions: int, repeat: int) -> None:
    from django.db import connection
    from django.urls import reverse

    workspace, user, client = member()
    began = time.perf_counter()
    fill(workspace, user, prompts, versions)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    print(f"  filled in {time.perf_counter() - began:.0f} s")
    listing = reverse("prompt_list", kwargs={"workspace": "bench"})
    some = workspace.prompts.order_by("?").first()
    pages = {
        "list": (listing, {}),
        "list, a folder": (f"{listing}?folder=support/team-5", {}),
        "list, last page": (f"{listing}?page=200", {}),
        "list, last change first": (f"{listing}?sort=changed", {}),
        "search, rare word": (f"{listing}?q=only-{some.pk}", {"HX-Request": "true"}),
        "search, word of all": (f"{listing}?q=refund", {"HX-Request": "true"}),
        "search, begun word": (f"{listing}?q=re", {"HX-Request": "true"}),
        "search, tag and folder": (f"{listing}?q=order+gre&folder=sales&tag=de", {"HX-Request": "true"}),
        "prompt": (reverse("prompt_detail", kwargs={"workspace": "bench", "prompt_id": some.pk}), {}),
        "versions": (reverse("version_list", kwargs={"workspace": "bench", "prompt_id": some.pk}), {}),
    }
    worst, most = 0.0, 0
    for name, (url, headers) in pages.items():
        taken, own, queries = timed(client, url, headers, repeat)
        worst, most = max(worst, taken), max(most, queries)
        print(f"  {name:28} p95 {taken:5.0f} ms (its own {own:4.0f}), {queries} queries")
    print(f"P4 p95 {worst:.0f} ms, {most} queries; target {TARGET_MS} ms, {TARGET_QUERIES} queries")


def timed(client, url: str, headers: dict[str, str], repeat: int) -> tuple[float, float, int]:
    """Return the 95th percentile in milliseconds, by the clock and in this process, and the number of queries."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as caught:
        assert client.get(url, headers=headers).status_code == 200
    queries = len(caught)  # the next request empties what was caught
    clock, own = [], []
    for _ in range(repeat):
        began, began_own = time.perf_counter(), time.process_time()
        client.get(url, headers=headers)
        clock.append((time.perf_counter() - began) * 1000)
        own.append((time.process_time() - began_own) * 1000)
    return statistics.quantiles(clock, n=20)[-1], statistics.quantiles(own, n=20)[-1], queries


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=10_000)
    parser.add_argument("--versions", type=int, default=20)
    parser.add_argument("--repeat", type=int, default=40)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="galley-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        cluster = prepare(folder)
        try:
            measure(options.prompts, options.versions, options.repeat)
        finally:
            cluster.stop()


if __name__ == "__main__":
    main()
