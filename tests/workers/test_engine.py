"""The engine's rules, shown with a kind of job that does nothing but note what was done to it."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction

from accounts.models import User
from tests.factories import UserFactory
from workers import clock, crash, engine, gates, jobs, sweeps
from workers.engine import LEASE_SECONDS, MOST_CLAIMS, Engine, claim, save
from workers.jobs import Change, Continue, End, JobKind, Lease, Next, Outcome, Stage, Sweep
from workers.models import Gate, Job, JobState

DONE = End(state=JobState.COMPLETED)
GATE = "test:gate"


class Step(Stage[UUID, str]):
    """Notes its calls and what it was told; a test says what comes of them."""

    name = "step"

    def __init__(self) -> None:
        self.called: list[UUID] = []
        self.told: list[tuple[UUID, bool]] = []
        self.on_call: Callable[[UUID], str] = lambda subject: "done"
        self.next: Callable[[Lease], Next] = lambda lease: DONE
        self.bad: set[UUID] = set()

    def begin(self, leases: Sequence[Lease]) -> Mapping[UUID, UUID | Next]:
        if any(lease.subject_id in self.bad for lease in leases):
            raise ValueError("a row that nobody expected")
        return {lease.job_id: lease.subject_id for lease in leases}

    def call(self, work: UUID) -> str:
        self.called.append(work)
        return self.on_call(work)

    def finish(self, outcomes: Sequence[Outcome[str]]) -> Mapping[UUID, Next]:
        self.told += [(one.lease.subject_id, one.held) for one in outcomes]
        return {one.lease.job_id: self.next(one.lease) for one in outcomes if one.held}

    def abandon(self, lease: Lease) -> Next:
        return End(state=JobState.FAILED, error_code="abandoned")


class Second(Step):
    name = "second"
    queue = "media"


@pytest.fixture
def step(transactional_db: None, empty_redis: Any) -> Iterator[Step]:
    one = Step()
    jobs.register(JobKind(name="test", stages=(one, Second())))
    yield one
    del jobs.KINDS["test"]
    clock.reset()


@pytest.fixture
def worker(step: Step) -> Iterator[Engine]:
    running = Engine("io", 8)
    running.start()
    yield running
    running.stop(10)


def enqueue(owner: User | None = None, **how: Any) -> UUID:
    """The subject of a new job."""
    subject = uuid4()
    with transaction.atomic():
        jobs.enqueue(kind="test", subject_id=subject, owner_id=owner.pk if owner else None, **how)
    return subject


def job(subject: UUID) -> Job:
    return Job.objects.get(subject_id=subject)


def take(limit: int = 10) -> list[Lease]:
    with transaction.atomic():
        return claim("io", limit)


def until(true: Callable[[], object], worker: Engine | None = None) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        if worker is not None:
            worker.run_due()
        time.sleep(0.01)


def test_a_job_is_run_once_and_ends(step: Step, worker: Engine) -> None:
    subject = enqueue()
    until(lambda: job(subject).ended_at, worker)
    assert step.called == [subject]
    assert (job(subject).state, job(subject).progress, job(subject).claims) == ("completed", 100, 1)


def test_a_job_that_is_enqueued_in_a_transaction_that_fails_never_was(step: Step, worker: Engine) -> None:
    with transaction.atomic():
        jobs.enqueue(kind="test", subject_id=uuid4(), owner_id=None)
        transaction.set_rollback(True)
    assert worker.run_due() == 0
    assert not Job.objects.exists()


def test_claims_made_at_once_never_share_a_job(step: Step) -> None:
    subjects = {enqueue() for _ in range(200)}

    def drain(_: int) -> list[UUID]:
        mine: list[UUID] = []
        while leases := take(7):
            mine += [lease.subject_id for lease in leases]
        connection.close()
        return mine

    with ThreadPoolExecutor(8) as pool:
        taken = [subject for mine in pool.map(drain, range(8)) for subject in mine]
    assert len(taken) == 200
    assert set(taken) == subjects


def test_what_is_not_due_or_is_claimed_is_left_alone(step: Step) -> None:
    enqueue(due_at=clock.now() + timedelta(seconds=5))
    subject = enqueue()
    assert [lease.subject_id for lease in take()] == [subject]
    assert take() == []
    clock.advance(timedelta(seconds=6))
    assert len(take()) == 1


def test_a_claim_that_ran_out_is_taken_again_under_the_next_fence(step: Step) -> None:
    enqueue()
    [first] = take()
    clock.advance(timedelta(seconds=LEASE_SECONDS - 1))
    assert take() == []
    clock.advance(timedelta(seconds=2))
    [second] = take()
    assert (second.job_id, second.fence, second.claims) == (first.job_id, first.fence + 1, 2)


def test_a_replaced_claim_tells_facts_and_decides_nothing(step: Step) -> None:
    subject = enqueue()
    [first] = take()
    clock.advance(timedelta(seconds=LEASE_SECONDS + 1))
    [second] = take()

    save(step, [(first, "late")])

    assert step.told == [(subject, False)]
    assert job(subject).ended_at is None
    save(step, [(second, "done")])
    save(step, [(second, "done again")])
    assert step.told == [(subject, False), (subject, True), (subject, False)]
    assert job(subject).state == "completed"


def test_a_lease_is_renewed_while_its_call_runs(
    step: Step, worker: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "RENEW_SECONDS", 0.05)
    go = threading.Event()
    step.on_call = lambda subject: str(go.wait(20))
    subject = enqueue()
    try:
        worker.run_due()
        until(lambda: job(subject).lease_until)
        first = job(subject).lease_until
        assert first is not None
        until(lambda: (job(subject).lease_until or first) > first + timedelta(seconds=1))
        assert take() == []
    finally:
        go.set()
    until(lambda: job(subject).ended_at)


def test_a_call_is_not_begun_once_its_claim_is_old(
    step: Step, worker: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a process finds it that was frozen between its claim and its call."""
    since = [0.0]
    monkeypatch.setattr(engine, "_elapsed", lambda: since[0])
    monkeypatch.setattr(crash, "point", lambda name: since.__setitem__(0, since[0] + 11))
    subject = enqueue()

    worker.run_due()

    until(lambda: not worker._claimed)
    assert step.called == []
    assert job(subject).ended_at is None
    monkeypatch.undo()
    clock.advance(timedelta(seconds=LEASE_SECONDS + 1))
    until(lambda: job(subject).ended_at, worker)
    assert step.called == [subject]


def test_a_call_that_crashes_is_tried_again_and_given_up_after_five(step: Step, worker: Engine) -> None:
    def crashes(subject: UUID) -> str:
        raise MemoryError

    step.on_call = crashes
    subject = enqueue()
    for _ in range(MOST_CLAIMS):
        assert worker.run_due() == 1
        until(lambda: not worker._claimed)
        clock.advance(timedelta(seconds=LEASE_SECONDS + 1))
    worker.run_due()
    assert len(step.called) == MOST_CLAIMS
    assert (job(subject).state, job(subject).error_code) == ("failed", "abandoned")


def test_a_row_that_spoils_its_batch_spoils_nobody_elses(step: Step, worker: Engine) -> None:
    bad, good = enqueue(), [enqueue() for _ in range(3)]
    step.bad = {bad}
    until(lambda: all(job(one).ended_at for one in good), worker)
    assert job(bad).ended_at is None
    assert bad not in step.called


def test_a_call_touches_no_database(step: Step, worker: Engine, caplog: pytest.LogCaptureFixture) -> None:
    step.on_call = lambda subject: str(Job.objects.count())
    enqueue()
    worker.run_due()
    until(lambda: not worker._claimed)
    assert "a call runs outside the database" in caplog.text
    assert step.told == []


def test_news_during_a_claim_makes_the_job_due_again_at_once(step: Step) -> None:
    subject = enqueue()
    step.next = lambda lease: Continue(stage="step", due_in=timedelta(hours=1))
    [lease] = take()
    with transaction.atomic():
        assert jobs.hint(kind="test", subject_id=subject)
    save(step, [(lease, "nothing yet")])
    [again] = take()
    save(step, [(again, "nothing yet")])
    assert take() == []
    assert job(subject).due_at > clock.now() + timedelta(minutes=59)


def test_news_makes_a_waiting_job_due_and_says_nothing_about_one_that_ended(step: Step) -> None:
    subject = enqueue(due_at=clock.now() + timedelta(hours=1))
    with transaction.atomic():
        assert jobs.hint(kind="test", subject_id=subject)
    [lease] = take()
    save(step, [(lease, "done")])
    with transaction.atomic():
        assert not jobs.hint(kind="test", subject_id=subject)
        assert not jobs.hint(kind="test", subject_id=uuid4())


def test_a_wish_to_cancel_is_seen_by_the_next_claim(step: Step) -> None:
    subject = enqueue(due_at=clock.now() + timedelta(hours=1))
    with transaction.atomic():
        standing = jobs.lock(kind="test", subject_id=subject)
        assert standing is not None
        assert not standing.claimed
        jobs.request_cancel(standing)
    [lease] = take()
    assert lease.cancel_requested


def test_a_stage_is_handed_to_its_queue(step: Step, worker: Engine) -> None:
    step.next = lambda lease: Continue(stage="second")
    subject = enqueue()
    until(lambda: job(subject).stage == "second", worker)
    assert worker.run_due() == 0
    with transaction.atomic():
        assert [lease.stage for lease in claim("media", 5)] == ["second"]


def test_progress_is_announced_in_steps_and_not_too_often(step: Step) -> None:
    heard: list[Change] = []
    jobs.listen(heard.extend)
    try:
        subject = enqueue(UserFactory.create())

        def report(progress: int) -> None:
            step.next = lambda lease: Continue(stage="step", progress=progress)
            [lease] = take()
            save(step, [(lease, "")])

        report(3)
        assert heard == []
        report(10)
        report(50)
        assert [change.data for change in heard] == [{"progress": 10}]
        assert job(subject).progress == 50
        clock.advance(timedelta(seconds=3))
        report(52)
        report(53)
        assert [change.data for change in heard] == [{"progress": 10}, {"progress": 52}]
    finally:
        jobs.LISTENERS.pop()


def gated(owner: User, **how: Any) -> UUID:
    return enqueue(owner, gate=GATE, **how)


def admitted() -> list[UUID]:
    return list(
        Job.objects.filter(holds=True).order_by("turn", "created_at").values_list("subject_id", flat=True)
    )


def test_a_gate_lets_through_what_it_has_places_for(step: Step) -> None:
    gates.ensure({GATE: (2, 100)})
    owner = UserFactory.create()
    mine = [gated(owner) for _ in range(4)]
    assert take() == []
    assert gates.admit() == 2
    assert admitted() == mine[:2]
    assert gates.admit() == 0
    leases = take()
    save(step, [(leases[0], "done")])
    assert gates.admit() == 1


def test_a_job_that_goes_on_at_another_gate_lines_up_there_as_a_newcomer(step: Step) -> None:
    gates.ensure({GATE: (10, 100), "test:other": (1, 100)})
    alice, bob = UserFactory.create(), UserFactory.create()
    waiting = [enqueue(bob, gate="test:other") for _ in range(2)]
    moving = [gated(alice), gated(alice)]
    Gate.objects.filter(key="test:other").update(stopped_at=clock.now())
    assert gates.admit() == 2
    step.next = lambda lease: Continue(stage="step", place="line up", gate="test:other")
    for lease in take():
        save(step, [(lease, "done")])
    assert [(job(one).gate, job(one).waits, job(one).holds) for one in moving] == [
        ("test:other", True, False)
    ] * 2
    gates.reopen("test:other")
    step.next = lambda lease: DONE
    order: list[str] = []
    while gates.admit():
        [lease] = take()
        order.append("B" if lease.subject_id in waiting else "A")
        save(step, [(lease, "done")])
    # In rotation, whoever came from where.
    assert (set(order[:2]), set(order[2:])) == ({"A", "B"}, {"A", "B"})


def test_a_gate_lets_through_so_many_in_any_minute(step: Step) -> None:
    gates.ensure({GATE: (100, 3)})
    owner = UserFactory.create()
    for _ in range(5):
        gated(owner)
    assert gates.admit() == 3
    clock.advance(timedelta(seconds=59))
    assert gates.admit() == 0
    clock.advance(timedelta(seconds=2))
    assert gates.admit() == 2


def test_an_owner_takes_no_more_places_than_they_may(step: Step) -> None:
    gates.ensure({GATE: (100, 100)})
    greedy, modest = UserFactory.create(), UserFactory.create()
    mine = [gated(greedy, owner_places=2) for _ in range(5)]
    other = gated(modest, owner_places=2)
    gates.admit()
    assert set(admitted()) == {*mine[:2], other}


def test_owners_take_turns_in_the_line(step: Step) -> None:
    gates.ensure({GATE: (1, 1000)})
    alice, bob = UserFactory.create(), UserFactory.create()
    names = {gated(alice): f"A{number}" for number in range(3)} | {gated(bob): "B0"}
    order: list[str] = []
    while gates.admit():
        [lease] = take()
        order.append(names[lease.subject_id])
        save(step, [(lease, "done")])
    assert order == ["A0", "B0", "A1", "A2"]


@pytest.mark.parametrize("key", [GATE, Gate.EVERY])
def test_a_stop_lets_nothing_new_through_and_what_runs_go_on(step: Step, key: str) -> None:
    gates.ensure({GATE: (10, 100)})
    owner = UserFactory.create()
    running = gated(owner)
    gates.admit()
    gates.stop(key, "they are down")
    gated(owner)
    assert gates.admit() == 0
    assert [lease.subject_id for lease in take()] == [running]
    gates.reopen(key)
    assert gates.admit() == 1


def test_a_pause_that_a_vendor_asked_for_ends_by_itself_and_a_longer_one_stays(step: Step) -> None:
    gates.ensure({GATE: (10, 100)})
    gates.pause(GATE, 60)
    gates.pause(GATE, 5)
    gated(UserFactory.create())
    clock.advance(timedelta(seconds=30))
    assert gates.admit() == 0
    clock.advance(timedelta(seconds=31))
    assert gates.admit() == 1


def test_a_sweep_runs_once_for_two_who_ring_and_again_when_its_time_comes(step: Step) -> None:
    ran: list[int] = []
    both = threading.Barrier(2)

    def run() -> int:
        ran.append(1)
        return 1

    jobs.register_sweep(Sweep(name="test", every=timedelta(minutes=1), run=run))

    def ring(_: int) -> None:
        both.wait(10)
        sweeps.run_due()
        connection.close()

    try:
        for expected in (1, 2):
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(ring, range(2)))
            assert len(ran) == expected
            clock.advance(timedelta(seconds=61))
    finally:
        del jobs.SWEEPS["test"]


def test_a_stopped_engine_saves_what_it_began_and_takes_nothing_more(step: Step) -> None:
    running = Engine("io", 8)
    running.start()
    go = threading.Event()
    step.on_call = lambda subject: str(go.wait(20))
    began = enqueue()
    running.run_due()
    until(lambda: step.called)
    later = enqueue()
    stopping = threading.Thread(target=running.stop, args=(20,))
    stopping.start()
    until(running._stopping.is_set)
    assert running.run_due() == 0
    go.set()
    stopping.join(20)
    assert job(began).state == "completed"
    assert job(later).state == "queued"
