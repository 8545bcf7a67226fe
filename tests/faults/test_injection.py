"""Each call by which an engine changes its run fails, or kills it: what stands there is old or new, and is told."""

import errno
import json
import os
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.process import launch
from engine.record import rundir
from tests.faults.injection import Fault
from tests.faults.runs import check_readable, final, new_run, trained_again, world
from tests.faults.trials import FULL, figures
from tests.faults.warm import Warm, warm

KINDS = [("EIO", False), ("ENOSPC", False), ("kill", False), ("short", False), ("EIO", True), ("ENOSPC", True)]
SHORT = 40  # points over all kinds together


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Warm, dict[str, Any], list[list[str]]]]:
    """What forks engines, what a run comes to that nothing disturbs, and its calls."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with world(folder), warm(new_run()) as engines:
        run = new_run()
        assert engines.start(run, trace=folder / "calls").wait() == 0
        yield engines, final(run), json.loads((folder / "calls").read_text())


@pytest.mark.parametrize(("kind", "lasting"), KINDS)
def test_a_call_that_fails_leaves_the_old_or_the_new_says_so_and_the_run_goes_on_to_the_same_end(
    news: Path,
    undisturbed: tuple[Warm, dict[str, Any], list[list[str]]],
    request: pytest.FixtureRequest,
    kind: str,
    lasting: bool,
) -> None:
    engines, wanted, calls = undisturbed
    points = [at for at, (name, _) in enumerate(calls) if kind != "short" or name == "write"]
    if not FULL:  # evenly, and for each kind others
        first = KINDS.index((kind, lasting))
        points = points[first * len(points) // SHORT :: -(-len(points) * len(KINDS) // SHORT)]
    ends: Counter[str] = Counter()
    wrong = []
    for at in points:
        fault = Fault(at=at, kind=kind, lasting=lasting)
        try:
            ends[_trial(engines, fault, wanted)] += 1
        except AssertionError as error:
            wrong.append(f"{calls[at]} {fault}: {error}")
    told = ", ".join(f"{count} {state}" for state, count in ends.most_common())
    figures(request)(
        f"{kind}{' for good' * lasting} at {len(points)} of the {len(calls)} calls that change a run: {told}; "
        f"{len(wrong)} unreadable, silent, or ended otherwise after a resume"
    )
    assert wrong == []


def test_a_disk_that_fills_up_at_a_call_is_told_as_the_cause_since_room_for_that_was_kept(
    news: Path,
    undisturbed: tuple[Warm, dict[str, Any], list[list[str]]],
    small_disk: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    engines, wanted, calls = undisturbed
    monkeypatch.setenv("LTH_RUNS", str(small_disk / "runs"))
    kept = next(at for at, (name, path) in enumerate(calls) if name == "replace" and ".reserve-" in path)
    points = range(kept + 1, len(calls), 3 if FULL else 50)
    ends: Counter[str] = Counter()
    for at in points:
        run = new_run()
        code = engines.start(run, Fault(at=at, kind="full", lasting=False)).wait()
        check_readable(run)
        status = rundir.read_status(run)
        ends[rundir.state(run)] += 1
        assert (code, status["state"]) in ((0, "finished"), (1, "failed")), (calls[at], launch.last_line(run))
        assert code == 0 or "the disk is full" in status["cause"], calls[at]
        (small_disk / "runs" / "filler").unlink(missing_ok=code == 0)  # that run had a call or two less
        assert status["state"] == "finished" or engines.start(run).wait() == 0
        assert final(run) == wanted, calls[at]
        shutil.rmtree(run)
    told = ", ".join(f"{count} {state}" for state, count in ends.most_common())
    figures(request)(
        f"a disk filled up at {len(points)} of {len(calls)} calls: {told}; each failure with that as its cause"
    )


def _trial(engines: Warm, fault: Fault, wanted: dict[str, Any]) -> str:
    """The state after the fault, once all that is promised has been seen."""
    run = new_run()
    code = engines.start(run, fault).wait()
    before, state = check_readable(run), rundir.state(run)
    if fault["kind"] == "kill" and code != 0:  # 0: that run had a call or two less than the one counted
        assert code == -signal.SIGKILL and state in ("queued", "orphaned", "finished"), state
    elif code == 0:
        assert state == "finished"
    else:
        _check_said(run, state, fault)
    if state != "finished":
        assert engines.start(run).wait() == 0, launch.last_line(run)
    assert trained_again(before, check_readable(run)) == []
    assert final(run) == wanted
    return state


def _check_said(run: Path, state: str, fault: Fault) -> None:
    """The trouble stands in the status; where nothing can be written any more, in no status that says more than is."""
    words = "input/output error" if fault["kind"] == "EIO" else "the disk is full"
    if state == "failed":
        assert words in rundir.read_status(run)["cause"]
    elif state == "queued" and not fault["lasting"]:  # it never held its lock; who launches it hands on its last line
        assert os.strerror(errno.EIO if fault["kind"] == "EIO" else errno.ENOSPC) in launch.last_line(run)
    else:
        assert fault["lasting"] and state in ("queued", "orphaned"), (state, launch.last_line(run))
