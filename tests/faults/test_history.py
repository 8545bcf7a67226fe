"""The history under four writers that are killed, and damaged in every way a file can be."""

import os
import random
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest

from engine.record import finding, history
from tests.bench import made
from tests.cli.conftest import call
from tests.faults.trials import FULL, figures, trials
from tests.record.real_runs import ROOT, many

PROCESSES, UPDATES, RUNS_EACH = 4, 500, 10

# What it folded it acknowledges, in one write; each update is of another number, and its run's last is its best.
WRITER = """
import os, sys
from pathlib import Path
from engine.record import finding, history, rundir

first, last, mine = int(sys.argv[1]), int(sys.argv[2]), [Path(name) for name in sys.argv[3:]]
for number in range(first, last):
    run = mine[number % len(mine)]
    rundir.write_status(run, {"state": "finished", "best": {"update": number}})
    assert history.fold(run.parent, run) is None
    os.write(1, b"%d\\n" % number)
"""


class Writer:
    """A process that writes updates until it is killed, and the one that goes on after it."""

    def __init__(self, runs: list[Path]) -> None:
        self.runs, self.acknowledged, self.kills, self.trouble = runs, -1, 0, b""
        self.begin()

    def begin(self) -> None:
        words = [self.acknowledged + 1, UPDATES, *self.runs]
        self.rest = b""
        self.process = subprocess.Popen(
            [sys.executable, "-c", WRITER, *map(str, words)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def hear(self) -> bool:
        """Take what it acknowledged since; False once there will be no more."""
        assert self.process.stdout is not None
        data = os.read(self.process.stdout.fileno(), 65536)
        *lines, self.rest = (self.rest + data).split(b"\n")
        self.acknowledged = max(self.acknowledged, *map(int, lines)) if lines else self.acknowledged
        return bool(data)

    def end(self) -> int:
        while self.hear():
            pass
        _, said = self.process.communicate()
        self.trouble += said
        return self.process.returncode

    def kill(self) -> None:
        self.process.kill()
        if self.end() == -signal.SIGKILL:
            self.kills += 1
        self.begin()


def _updated_by_four(runs: Path, draw: random.Random) -> tuple[int, int, bytes]:
    """Kills, updates that were acknowledged and then lost, and what the writers had to say."""
    every = many(runs, PROCESSES * RUNS_EACH)
    history.refresh(runs)
    writers = [Writer(every[n::PROCESSES]) for n in range(PROCESSES)]
    following = {writer: time.monotonic() + draw.uniform(0.2, 4.0) for writer in writers}
    while following:
        select.select([writer.process.stdout for writer in following], [], [], 0.02)
        for writer in list(following):
            if select.select([writer.process.stdout], [], [], 0)[0] and not writer.hear():
                writer.end()
                del following[writer]
            elif time.monotonic() > following[writer]:
                if writer.acknowledged < UPDATES - RUNS_EACH:
                    writer.kill()
                following[writer] = time.monotonic() + draw.uniform(1.0, 4.0)
    stored = orjson.loads((runs / "history.json").read_bytes())["runs"]
    lost = 0
    for writer in writers:
        for at, run in enumerate(writer.runs):
            last = max(number for number in range(writer.acknowledged + 1) if number % RUNS_EACH == at)
            lost += (stored[run.name]["best"] or {}).get("update", -1) < last
        lost += UPDATES - 1 - writer.acknowledged
    assert history._decoded((runs / "history.json").read_bytes())[1] is None
    for draft in runs.glob(".history.json-*"):  # half-written by one that was killed, long ago
        os.utime(draft, (0, 0))
    history.reindex(runs)
    assert list(runs.glob(".history.json-*")) == []
    return sum(writer.kills for writer in writers), lost, b"".join(writer.trouble for writer in writers)


def test_of_four_processes_that_are_killed_no_acknowledged_update_is_lost(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    draw = random.Random(None if FULL else 4)
    count = trials(10, 1)
    found = [_updated_by_four(tmp_path / str(number), draw) for number in range(count)]
    kills, lost = (sum(one[at] for one in found) for at in (0, 1))
    trouble = b"".join(one[2] for one in found)
    figures(request)(
        f"{PROCESSES} processes x {UPDATES} history updates: {count} trials with {kills} kills: {lost} lost, "
        f"{trouble.count(b'Traceback')} exceptions"
    )
    assert (lost, trouble) == (0, b"")
    assert kills >= count


def _delete(path: Path, _: random.Random) -> None:
    path.unlink()


def _flip(path: Path, draw: random.Random) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(draw.choice((1, 1, 5, 100))):
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    path.write_bytes(data)


def _truncate(path: Path, draw: random.Random) -> None:
    os.truncate(path, draw.randrange(path.stat().st_size))


def _noise(path: Path, draw: random.Random) -> None:
    path.write_bytes(draw.randbytes(draw.choice((1, 100, 1 << 20))))


def _zeros(path: Path, draw: random.Random) -> None:
    """What a power cut leaves on some file systems: the size is right, and a part was never written."""
    data = bytearray(path.read_bytes())
    at = draw.randrange(len(data))
    data[at : at + 4096] = bytes(len(data[at : at + 4096]))
    path.write_bytes(data)


def _forged(path: Path, draw: random.Random) -> None:
    """An entry says something else; all else is as it was, the checksum too."""
    tables = orjson.loads(path.read_bytes())
    one = draw.choice(list(tables["runs"].values()))
    one[draw.choice(("state", "sentence", "best", "seeds"))] = "forged"
    path.write_bytes(orjson.dumps(tables))


def _other(path: Path, draw: random.Random) -> None:
    shapes = (b"[]", b"null", b"{}", b'"runs"', b'{"runs":[]}', b'{"_checksum":5,"runs":{}}', b"[" * 100_000, b"1e999")
    path.write_bytes(draw.choice(shapes))


def _sealed(path: Path, draw: random.Random) -> None:
    """Its checksum is right, and what it holds is of another shape."""
    path.write_bytes(history._encoded({"runs": draw.choice(({}, [], {"a": 5}, {"a": {}}, {"a": []}, 3, None))}))


def _older(path: Path, draw: random.Random) -> None:
    """From a backup: whole, and of another time."""
    tables = orjson.loads(path.read_bytes())
    entries = tables["runs"]
    for name in draw.sample(sorted(entries), 5):
        entries[name] |= {"stamp": [1, 2, 3, 0, 0, 0], "sentence": "of another time", "state": "stopped"}
    for name in draw.sample(sorted(entries), 2):
        entries[f"{name}-gone"] = entries.pop(name) | {"id": f"{name}-gone"}
    path.write_bytes(history._encoded({"runs": entries}))


def _folder(path: Path, draw: random.Random) -> None:
    path.unlink()
    path.mkdir()
    if draw.random() < 0.5:
        (path / "something").touch()


def _fifo(path: Path, _: random.Random) -> None:
    path.unlink()
    os.mkfifo(path)


def _huge(path: Path, _: random.Random) -> None:
    """A terabyte that takes no room."""
    os.truncate(path, 1 << 40)


def _link(path: Path, draw: random.Random) -> None:
    path.unlink()
    path.symlink_to(draw.choice(("/dev/zero", "/nowhere", "/dev/tty")))


def _loop(path: Path, _: random.Random) -> None:
    path.unlink()
    path.symlink_to(path.name)


DAMAGES = [
    *(_flip, _flip, _flip, _truncate, _truncate, _noise, _zeros, _forged, _other, _sealed, _older),
    *(_folder, _fifo, _huge, _link, _loop, _delete),
]


def test_a_history_damaged_in_any_way_lists_what_a_rebuild_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    draw = random.Random(None if FULL else 3)
    runs = tmp_path / "runs"
    many(runs, 15)
    many(tmp_path / "other", 5, state="queued")
    for run in (tmp_path / "other").iterdir():
        run.rename(runs / f"queued-{run.name}")
    path = runs / "history.json"
    history.reindex(runs)
    wanted, _ = history.refresh(runs)
    count, rebuilt, unequal, unsaid = trials(300, 50), 0, [], []
    for number in range(count):
        damage = DAMAGES[number % len(DAMAGES)] if number < len(DAMAGES) else draw.choice(DAMAGES)
        whole = path.read_bytes()
        damage(path, draw)
        listed, notice = history.refresh(runs) if number % 2 else (None, None)
        said = call("ls", "--json")
        if listed not in (None, wanted) or said.code != 0 or said.json != wanted:
            unequal.append((damage.__name__, number))
        changed = not path.is_file() or path.is_symlink() or path.read_bytes() != whole
        rebuilt += damage is not _older and bool(notice or said.err)
        if damage not in (_older, _sealed) and not (notice or said.err) and changed:
            unsaid.append((damage.__name__, number))
        if path.is_dir() and not path.is_symlink():  # which no command removes: it is nobody's own
            shutil.rmtree(path)
        history.reindex(runs)
        if history.refresh(runs) != (wanted, None):
            unequal.append((damage.__name__, number))
    figures(request)(
        f"history damaged: {count} trials in {len(set(DAMAGES))} ways: {len(unequal)} listed otherwise than after a "
        f"rebuild, {rebuilt} said to be rebuilt"
    )
    assert (unequal, unsaid) == ([], [])


def test_a_history_of_many_runs_is_rebuilt_at_once(request: pytest.FixtureRequest) -> None:
    """Its figure is held by the benchmarks, which have a machine to themselves."""
    count = trials(10_000, 500)
    with made.own_folders() as folder:
        made.finished_runs(folder / "runs", count)
        seconds = []
        for _ in range(3):
            (folder / "runs" / "history.json").unlink(missing_ok=True)
            began = time.perf_counter()
            assert history.reindex(folder / "runs") == count
            seconds.append(time.perf_counter() - began)
        listed, notice = history.refresh(folder / "runs")
        assert notice is None
        assert [one["id"] for one in listed] == [run.name for run in finding.run_dirs(folder / "runs")]
        assert len({one["best"]["ticket"] for one in listed}) == count
    figures(request)(f"history of {count:,} runs rebuilt in {min(seconds):.2f} to {max(seconds):.2f} s")
