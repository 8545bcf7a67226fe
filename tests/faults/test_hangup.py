"""The terminal goes, the app is killed, the line drops, the session ends: the engines never notice."""

import os
import pty
import random
import re
import select
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from engine.record import finding, rundir
from tests.cli.conftest import ROOT, runs_here
from tests.faults import light
from tests.faults.trials import FULL, figures, trials


class Session:
    """A login session on a terminal of its own, with four `lth run` and the app; we are its terminal."""

    def __init__(self, epochs: int) -> None:
        self.seen = b""
        self.leader, self.terminal = pty.fork()
        if self.leader == 0:
            os.environ |= {"TERM": "xterm-256color", "LTH_SLOTS": "8"}
            os.environ.pop("COLUMNS", None)
            os.execv(sys.executable, [sys.executable, "-m", "tests.faults.session", str(epochs)])

    def until(self, condition: Callable[[], object]) -> None:
        """Show what the session writes until the condition holds."""
        deadline = time.monotonic() + 120
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain; on the terminal: {self.seen[-3000:]!r}"
            if select.select([self.terminal], [], [], 0.02)[0]:
                self.seen += os.read(self.terminal, 65536)

    def processes(self) -> list[int]:
        """Those alive in the session, of its own process groups or not."""
        found = []
        for entry in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = entry.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == self.leader and fields[0] != "Z":
                found.append(int(entry.parent.name))
        return found

    def end(self) -> None:
        """Whatever is left of it."""
        deadline = time.monotonic() + 10
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.02)
        for pid in left:  # jobs in the background may outlive their terminal, as they may a shell's
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        os.waitpid(self.leader, 0)


def _app_killed(session: Session, app: int) -> None:
    os.kill(app, signal.SIGKILL)
    os.kill(session.leader, signal.SIGKILL)
    os.close(session.terminal)


def _terminal_closed(session: Session, _: int) -> None:
    os.close(session.terminal)


def _line_dropped(session: Session, _: int) -> None:
    """sshd closes the terminal and hangs up on the shell, which hangs up on every job."""
    groups = {os.getpgid(pid) for pid in session.processes()}
    for group in groups:
        with suppress(ProcessLookupError):  # gone with the leader
            os.killpg(group, signal.SIGHUP)
    os.close(session.terminal)


def _session_killed(session: Session, _: int) -> None:
    for pid in session.processes():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    os.close(session.terminal)


WAYS = {
    "the app killed": _app_killed,
    "the terminal closed": _terminal_closed,
    "the line dropped": _line_dropped,
    "the session killed": _session_killed,
}


def _survivors(way: str, wait: float, epochs: int, gate: Path) -> int:
    """How many of four engines finish whose terminal went in that way, so long after all of them were at work.

    Those without torch stay at work until all of their session is gone, and the gate is opened.
    """
    gate.unlink(missing_ok=True)
    before = set(finding.run_dirs(runs_here()))

    def engines() -> list[Path]:
        return [run for run in finding.run_dirs(runs_here()) if run not in before]

    session = Session(epochs)
    session.until(lambda: re.search(rb"session( \d+){5}\r?\n", session.seen) and b"\x1b[?1049h" in session.seen)
    told = re.search(rb"session((?: \d+){5})", session.seen)
    assert told is not None
    app = int(told[1].split()[-1])
    session.until(lambda: [rundir.read_status(run).get("epoch", 0) > 0 for run in engines()] == [True] * 4)
    held = {run: rundir.holder(run) for run in engines()}
    assert None not in held.values(), "all four are at work"
    until = time.monotonic() + wait
    session.until(lambda: time.monotonic() > until)
    WAYS[way](session, app)
    session.end()
    gate.touch()
    deadline = time.monotonic() + 120
    while any(rundir.state(run) in rundir.ACTIVE for run in held) and time.monotonic() < deadline:
        time.sleep(0.02)
    same = [rundir.read_status(run)["process"]["pid"] == held[run] for run in held]
    return sum(rundir.state(run) == "finished" and one for run, one in zip(held, same, strict=True))


@pytest.mark.parametrize("engine", ["real", "light"])
def test_four_engines_outlive_whatever_becomes_of_the_terminal_that_started_them(
    news: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, engine: str
) -> None:
    paths = [str(ROOT)]
    if engine == "light":
        paths.append(light.on_path(tmp_path / "light", steps=3, gate=tmp_path / "gate"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    draw = random.Random(None if FULL else 7)
    count = trials(10, 1) if engine == "real" else trials(40, 4)
    ways = [list(WAYS)[number % len(WAYS)] for number in range(count)]
    epochs, gate = 60 if engine == "real" else 2, tmp_path / "gate"
    finished = [_survivors(way, draw.uniform(0, 0.5), epochs, gate) for way in ways]
    lost = [(way, survivors) for way, survivors in zip(ways, finished, strict=True) if survivors != 4]
    kinds = ", ".join(f"{ways.count(way)} x {way}" for way in WAYS if way in ways)
    figures(request)(f"4 {engine} engines, {count} hang-ups ({kinds}): {sum(finished)} of {4 * count} engines finished")
    assert lost == []
