"""P4b: the compare page for two versions of 200 kB each, ordinary and ill-meant ones, in the server's time.

Every pair is two stored versions in a durable database; the page is made whole, both ways to show it, by the test client
in this process, so nothing but the network is left out. Printed is the slowest median over all pairs, and each pair.

    .venv/bin/python bench/compare.py [--repeat 5]
"""

import argparse
import os
import random
import statistics
import string
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
TARGET_MS = 300
SIZE = 200_000


def prepare(folder: Path):
    """Start a durable cluster and let the settings point to it."""
    from cryptography.fernet import Fernet

    from llmops_site.postgres import Cluster

    cluster = Cluster(folder / "postgres")
    cluster.start()
    os.environ.update(
        DJANGO_SETTINGS_MODULE="llmops_site.settings",
        SECRET_KEY="only-for-the-bench",
        ENCRYPTION_KEYS=Fernet.generate_key().decode(),
        DATABASE_URL=cluster.url,
        GALLEY_VAR=str(folder / "var"),
        LOG_LEVEL="WARNING",
        ALLOWED_HOSTS="testserver",
    )
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    call_command("createcachetable")
    return cluster


def member():
    """Return a workspace, an admin of it, and a client who is signed in."""
    from django.test import Client

    from apps.accounts.models import Membership, User, Workspace
    from apps.accounts.rights import Role

    workspace = Workspace.objects.create(slug="bench", name="Bench")
    user = User.objects.create_user("bench@example.com", "bench", name="Bench")
    Membership.objects.create(workspace=workspace, user=user, roles=[Role.ADMIN])
    client = Client()
    client.force_login(user)
    return workspace, user, client


def pairs() -> Iterator[tuple[str, str, str]]:
    """Yield a name and two texts of 200 kB."""
    dice = random.Random(7)
    words = ["".join(dice.choices(string.ascii_lowercase, k=dice.randint(2, 9))) for _ in range(3_000)]

    def text(separator: str = " ", vocabulary: list[str] = words) -> str:
        return separator.join(dice.choices(vocabulary, k=SIZE))[:SIZE]

    def changed(before: str, share: float, vocabulary: list[str] = words) -> str:
        return " ".join(dice.choice(vocabulary) if dice.random() < share else word for word in before.split(" "))

    lines = "\n".join(" ".join(dice.choices(words, k=10)) for _ in range(3_400))[:SIZE]
    line, few = text(), text(vocabulary=words[:40])
    numbers = [f"w{number}" for number in range(30_000)]
    yield "lines, 1 % of words", lines, changed(lines, 0.01)
    yield "lines, 30 % of words", lines, changed(lines, 0.3)
    yield "one line, 1 % of words", line, changed(line, 0.01)
    yield "one line, 30 % of words", line, changed(line, 0.3)
    yield "one line, few words, 30 %", few, changed(few, 0.3, words[:40])
    yield "the same word", "word " * (SIZE // 5), "word " * (SIZE // 5 - 999)
    yield "the same word, every tenth another", "word " * (SIZE // 5), ("word " * 9 + "else ") * (SIZE // 50)
    yield "nothing in common", text(), text().upper()
    yield "every word once, shuffled", " ".join(numbers), " ".join(dice.sample(numbers, len(numbers)))
    yield "every second word", " ".join(numbers), " ".join(f"v{n}" if n % 2 else w for n, w in enumerate(numbers))
    yield "signs", "!" * SIZE, "?!" * (SIZE // 2)
    yield "empty lines", "\n" * SIZE, "\n" * (SIZE - 77) + "x"
    yield "two words in turn", "a b " * (SIZE // 4), "b a " * (SIZE // 4)
    yield "Thai", "สวัสดีครับ" * (SIZE // 30), "สวัสดีค่ะ" * (SIZE // 30)
    yield "emoji", "👩\u200d💻❤️" * (SIZE // 17), "👩\u200d🔬❤️" * (SIZE // 17)


def make(workspace, user, place: int, before: str, after: str):
    from apps.prompts import contents
    from apps.prompts.models import Prompt, Version

    prompt = Prompt.objects.create(workspace=workspace, name=f"pair-{place}", kind="text")
    for number, text in enumerate((before, after), 1):
        version = Version(
            prompt=prompt, number=number, messages=[{"role": "user", "content": text}], message="bench", author=user
        )
        version.content_hash = contents.content_hash(version.content())
        version.save(force_insert=True)
    return prompt


def median_ms(client, url: str, repeat: int) -> tuple[float, float]:
    """Return the median in milliseconds, by the clock and in this process alone, the first call left out."""
    client.get(url)
    clock, own = [], []
    for _ in range(repeat):
        began, began_own = time.perf_counter(), time.process_time()
        answer = client.get(url)
        clock.append((time.perf_counter() - began) * 1000)
        own.append((time.process_time() - began_own) * 1000)
        assert answer.status_code == 200, answer.status_code
    return statistics.median(clock), statistics.median(own)


def measure(repeat: int) -> None:
    from django.urls import reverse

    workspace, user, client = member()
    slowest = dearest = 0.0
    for place, (name, before, after) in enumerate(pairs()):
        prompt = make(workspace, user, place, before, after)
        here = reverse("version_compare", kwargs={"workspace": "bench", "prompt_id": prompt.pk})
        taken = [median_ms(client, f"{here}?from=1&to=2&view={view}", repeat) for view in ("inline", "split")]
        slowest = max(slowest, *(clock for clock, _ in taken))
        dearest = max(dearest, *(own for _, own in taken))
        (inline, own_inline), (split, own_split) = taken
        print(
            f"  {name:36} inline {inline:5.0f} ms ({own_inline:4.0f}), side by side {split:5.0f} ms ({own_split:4.0f})"
        )
    print(
        f"P4b {slowest:.0f} ms for the slowest pair of 200 kB ({dearest:.0f} ms of the process's own time), "
        f"target {TARGET_MS} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="galley-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        cluster = prepare(folder)
        try:
            measure(options.repeat)
        finally:
            cluster.stop()


if __name__ == "__main__":
    main()
