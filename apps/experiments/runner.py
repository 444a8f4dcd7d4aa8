"""Works a run off: claims outputs, asks for them in threads, stores what comes back, and ends the run.

One thread talks to the database about leases and results, in batches; the others only ask. A worker may be killed at any
line: what it had leased lapses and is claimed again, and an answer that was paid for is found by its origin.
"""

import logging
import math
import time
from queue import Empty, SimpleQueue

from django.db import transaction
from django.utils import timezone

from apps.experiments import asking_threads, figures, leases, reporting, results, signals
from apps.experiments.asking_threads import Job
from apps.experiments.breaker import Breaker
from apps.experiments.leases import Claim
from apps.experiments.models import Case, Output, Run
from apps.experiments.results import Result

logger = logging.getLogger(__name__)

MAX_THREADS = 128
TURN_SECONDS = 120.0
DRAIN_SECONDS = 0.05
RENEW_SECONDS = leases.LEASE_SECONDS / 3
SHARE_SECONDS = 0.5
WATCH_SECONDS = 0.5


def advance(run_id: int, *, turn_seconds: float = TURN_SECONDS) -> bool:
    """Work on a run for about `turn_seconds`; return whether there is more for the next turn.

    A run that is unknown, ended or fully in other hands is left alone.
    """
    Run.objects.filter(pk=run_id, state=Run.State.QUEUED).update(state=Run.State.RUNNING, started_at=timezone.now())
    run = Run.objects.with_names().select_related("workspace").filter(pk=run_id, state=Run.State.RUNNING).first()
    if run is None:
        return False
    turn = Turn(run, until=time.monotonic() + turn_seconds)
    turn.work()
    if turn.breaker.reason or turn.stopped:
        count_stragglers(run_id)
        return False
    if turn.is_over:
        return True
    finish(run_id)
    return False


class Turn:
    """One worker's stretch of work on one run."""

    def __init__(self, run: Run, *, until: float) -> None:
        self.run = run
        self.until = until
        # Others may have heard the bell as well: begin with half, and take the rest when nobody else does.
        self.threads = min(math.ceil(run.concurrency / 2), MAX_THREADS)
        self.breaker = Breaker(run.concurrency)
        self.asker = asking_threads.Asker(run)
        self.in_hand: dict[int, Claim] = {}
        self.answers: SimpleQueue[Result] = self.asker.answers
        self.renewed_at = self.shared_at = self.watched_at = time.monotonic()
        self.dry = False
        self.stopped = False

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self.until

    @property
    def must_stop(self) -> bool:
        return bool(self.is_over or self.breaker.reason or self.stopped)

    def work(self) -> None:
        """Claim, ask and store until the run has nothing left to claim, time is up or the provider is down."""
        try:
            self._refill()
            while self.in_hand:
                self._store(self._drain())
                self._keep_leases()
                self._watch()
                self._take_share()
                self._refill()
        finally:
            self.asker.stop()

    def _refill(self) -> None:
        """Hold an answer in the making for every thread and a few in reserve, so that none idles while results are stored."""
        if self.must_stop:
            self._wind_up()
            return
        wanted = leases.with_reserve(self.threads) - len(self.in_hand)
        if self.dry or wanted <= self.threads // 4:
            return
        claims = leases.claim(self.run.pk, wanted=wanted, cap=leases.with_reserve(self.run.concurrency))
        if claims:
            self._take(claims)
            self.asker.grow(min(self.threads, len(self.in_hand)))
        else:
            self._look_why()

    def _look_why(self) -> None:
        """Nothing to claim: the run was cancelled, or the rest is in other hands."""
        self.dry = True
        self._look_whether_stopped()

    def _watch(self) -> None:
        """See soon that the run was cancelled or has failed elsewhere, also while every thread waits for a place."""
        if not self.stopped and time.monotonic() - self.watched_at > WATCH_SECONDS:
            self._look_whether_stopped()

    def _look_whether_stopped(self) -> None:
        self.watched_at = time.monotonic()
        self.stopped = not Run.objects.filter(pk=self.run.pk, state=Run.State.RUNNING).exists()

    def _take(self, claims: list[Claim]) -> None:
        """Hand the claims to the threads: what was paid for is only judged there, the rest is asked for."""
        origins = {claim.output_id: self.asker.origin(claim.output_id) for claim in claims}
        results.write_off(self.run, claims, origins)
        paid = results.already_paid(self.run, claims, origins)
        cases = Case.objects.in_bulk({claim.case_id for claim in claims})
        given_up: list[Result] = []
        for claim in claims:
            self.in_hand[claim.output_id] = claim
            call = paid.get(claim.output_id)
            if claim.is_exhausted and call is None:
                given_up.append(asking_threads.gave_up(claim))
            else:
                self.asker.ask(Job(claim, cases[claim.case_id], origins[claim.output_id], call))
        self._store(given_up)

    def _take_share(self) -> None:
        """Grow to the run's concurrency less what other workers have taken."""
        if self.threads >= self.run.concurrency or time.monotonic() - self.shared_at < SHARE_SECONDS:
            return
        self.shared_at = time.monotonic()
        others = leases.held(self.run.pk) - len(self.in_hand)
        free = self.run.concurrency - math.ceil(max(0, others) / leases.RESERVE)
        self.threads = max(self.threads, min(free, MAX_THREADS))

    def _wind_up(self) -> None:
        """Send nothing more and return what no thread has begun; a run that cannot go on ends here and now."""
        self.asker.halt()
        if self.breaker.reason and not self.stopped:
            self.stopped = True
            fail(self.run.pk, reason=self.breaker.reason)
        self._give_back([job.claim for job in self.asker.take_back()])

    def _give_back(self, unasked: list[Claim]) -> None:
        for claim in unasked:
            self.in_hand.pop(claim.output_id, None)
        if unasked:
            leases.give_back(unasked)
            self.dry = False

    def _drain(self) -> list[Result]:
        """Wait for an answer, then for those that follow closely: one transaction serves them all."""
        found: list[Result] = []
        deadline = time.monotonic() + DRAIN_SECONDS
        try:
            while (left := deadline - time.monotonic()) > 0:
                found.append(self.answers.get(timeout=left))
        except Empty:
            pass
        return found

    def _store(self, came_back: list[Result]) -> None:
        self._give_back([result.claim for result in came_back if not result.asked])
        found = [result for result in came_back if result.asked]
        for result in found:
            self.breaker.note(result)
            self.dry = self.dry and result.state != Output.State.WAITING
        results.store(self.run, found)
        for result in found:
            self.in_hand.pop(result.claim.output_id, None)

    def _keep_leases(self) -> None:
        if self.in_hand and time.monotonic() - self.renewed_at > RENEW_SECONDS:
            leases.renew(list(self.in_hand.values()))
            self.renewed_at = time.monotonic()
            self.dry = False  # somebody else's leases may have lapsed since


def finish(run_id: int) -> bool:
    """End a run of which nothing is left, once: its figures, its check and the announcement in one transaction."""
    left = Output.objects.filter(run=run_id).unfinished()
    with transaction.atomic():
        if left.exists():
            return False
        ended = Run.objects.filter(pk=run_id, state=Run.State.RUNNING).update(
            state=Run.State.DONE, finished_at=timezone.now(), reason=""
        )
        if ended:
            _announce(run_id)
    return bool(ended)


def fail(run_id: int, *, reason: str) -> bool:
    """End a run that cannot go on, with the reason in words; what it has is kept, so that it can be resumed."""
    with transaction.atomic():
        ended = Run.objects.filter(pk=run_id, state__in=Run.ACTIVE).update(
            state=Run.State.FAILED, finished_at=timezone.now(), reason=reason[:500]
        )
        if ended:
            _announce(run_id)
    return bool(ended)


def count_stragglers(run_id: int) -> bool:
    """Count the answers that came in after a run had failed into its figures; return whether there were any."""
    with transaction.atomic():
        run = Run.objects.select_for_update(no_key=True, of=("self",)).filter(pk=run_id, state=Run.State.FAILED).first()
        if run is None or run.summary == (summary := figures.summary(run)):
            return False
        run.summary = summary
        run.save(update_fields=["summary"])
    return True


def _announce(run_id: int) -> None:
    run = Run.objects.with_names().select_related("workspace").get(pk=run_id)
    run.summary = figures.summary(run)
    run.save(update_fields=["summary"])
    # The listeners take rows of their own, the report none but the request's: it comes last, for it ends in the audit.
    signals.run_finished.send(sender=Run, run=run)
    reporting.report_run(run)
