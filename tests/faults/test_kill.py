"""The engine is killed at any moment, and goes on to the very end that it would have come to."""

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.record import rundir
from tests.faults.runs import check_readable, final, new_run, trained_again, world
from tests.faults.trials import FULL, figures, trials
from tests.faults.warm import Warm, warm

SEEDS = 2


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Warm, Path, float]]:
    """What forks engines, a run that one of them worked to its end, and the seconds that took."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with world(folder), warm(new_run()) as engines:
        for _ in range(2):  # the first also finds its files in no cache
            run = new_run(seeds=SEEDS)
            began = time.monotonic()
            assert engines.start(run).wait() == 0
            seconds = time.monotonic() - began
        yield engines, run, seconds


def test_killed_at_any_moment_a_run_is_readable_loses_no_round_and_ends_the_same(
    news: Path, undisturbed: tuple[Warm, Path, float], request: pytest.FixtureRequest
) -> None:
    engines, whole, seconds = undisturbed
    wanted = final(whole)
    draw = random.Random(None if FULL else 5)
    killed = kept = again = different = 0
    count = trials(300, 15)
    moments: dict[str, int] = {}
    while killed < count:  # who had finished before is no trial
        run = new_run(seeds=SEEDS)
        engine = engines.start(run)
        time.sleep(draw.uniform(0, seconds))
        os.kill(engine.pid, signal.SIGKILL)
        if engine.wait() != -signal.SIGKILL:
            continue
        killed += 1
        before = check_readable(run)
        state = rundir.state(run)
        assert state in ("queued", "orphaned", "finished")
        last: dict[str, Any] = before[-1] if before else {"event": "nothing"}
        moments[last["event"]] = moments.get(last["event"], 0) + 1
        assert engines.start(run).wait() == 0
        after = check_readable(run)
        assert after[: len(before)] == before
        kept += sum(one["event"] == "checkpoint" for one in before)
        again += len(trained_again(before, after))
        different += final(run) != wanted
    where = ", ".join(f"{count} after {event}" for event, count in sorted(moments.items(), key=lambda of: -of[1]))
    figures(request)(
        f"kill -9 of the engine: {killed} trials, 0 unreadable, {again} of {kept} "
        f"acknowledged rounds lost, {different} ended otherwise ({where})"
    )
    assert again == different == 0
