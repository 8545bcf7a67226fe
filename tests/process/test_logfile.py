"""engine.log: below its cap however much is printed, followed through every rotation, and never what fails a run."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.process import launch, logfile
from engine.record import rundir
from tests.cli.conftest import call, until
from tests.process.test_engine import new_run

CAP = 1000


class Writer:
    """A process's descriptor of the log, by which it prints numbered lines."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.number = folder, 0
        self.descriptor = os.open(folder / logfile.NAME, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, lines: int) -> None:
        for _ in range(lines):
            os.write(self.descriptor, b"line %d\n" % self.number)
            self.number += 1

    def rotate(self) -> None:
        logfile.rotate(self.folder, [self.descriptor], CAP)

    def kept(self) -> list[bytes]:
        paths = [self.folder / name for name in (logfile.BEFORE, logfile.NAME)]
        return b"".join(path.read_bytes() for path in paths if path.exists()).splitlines()


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    made = Writer(tmp_path)
    yield made
    os.close(made.descriptor)


def everything(reader: logfile.Reader, most: int = 64) -> list[bytes]:
    return b"".join(iter(lambda: reader.read(most), b"")).splitlines()


def lines(first: int, last: int) -> list[bytes]:
    return [b"line %d" % number for number in range(first, last)]


@given(st.lists(st.sampled_from(["write", "rotate", "read", "a little"]), max_size=40))
def test_a_follower_loses_and_repeats_nothing_that_is_still_there(tmp_path_factory, steps: list[str]) -> None:
    writer = Writer(tmp_path_factory.mktemp("log"))
    reader = logfile.Reader(writer.folder)
    told = b""
    for step in steps:
        if step == "write":
            writer.write(3)
        elif step == "rotate":
            writer.write(1)
            writer.rotate()
        elif step == "read":
            told += b"".join(iter(reader.read, b""))
        else:
            told += reader.read(5)
    seen = (told + b"".join(iter(reader.read, b""))).splitlines()
    assert len(set(seen)) == len(seen), "repeated"
    assert [int(line.split()[1]) for line in seen] == sorted(int(line.split()[1]) for line in seen)
    assert set(writer.kept()) <= set(seen), "lost"
    os.close(writer.descriptor)
    reader.close()


def test_a_follower_that_looks_between_rotations_misses_no_line(writer: Writer) -> None:
    reader = logfile.Reader(writer.folder)
    seen: list[bytes] = []
    for _ in range(5):
        writer.write(20)
        seen += everything(reader)
        writer.write(5)  # not yet read when the log is moved away
        writer.rotate()
        writer.write(1)
        seen += everything(reader)
    assert seen == lines(0, writer.number)
    reader.close()


def test_a_flood_is_cut_to_the_cap_and_its_follower_does_not_read_it_again(writer: Writer, monkeypatch) -> None:
    monkeypatch.setattr(logfile, "_BLOCK", 100)
    reader = logfile.Reader(writer.folder)
    writer.write(2000)
    seen = everything(reader)
    writer.rotate()
    assert (writer.folder / logfile.BEFORE).stat().st_size == CAP
    writer.write(10)
    assert seen + everything(reader) == lines(0, 2010)
    assert everything(logfile.Reader(writer.folder))[-10:] == lines(2000, 2010)
    reader.close()


def test_a_reader_of_the_end_takes_it_from_both_files(writer: Writer) -> None:
    writer.write(50)
    writer.rotate()
    assert everything(logfile.Reader(writer.folder, last=16)) == lines(48, 50)
    assert launch.last_line(writer.folder) == "line 49"
    writer.write(1)
    assert everything(logfile.Reader(writer.folder, last=24)) == lines(48, 51)


def test_a_missing_log_is_waited_for(tmp_path: Path) -> None:
    reader = logfile.Reader(tmp_path)
    assert reader.read() == b""
    (tmp_path / logfile.NAME).write_bytes(b"here\n")
    assert reader.read() == b"here\n"
    (tmp_path / logfile.NAME).unlink()
    assert reader.read() == b""
    (tmp_path / logfile.NAME).write_bytes(b"again\n")
    assert reader.read() == b"again\n"


def test_a_rotation_that_fails_leaves_all_as_it_was(writer: Writer, monkeypatch) -> None:
    writer.write(10)
    replace = Path.replace

    def refused(path: Path, target: Path) -> Path:
        if path.name.startswith("."):
            raise OSError(28, "No space left on device")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", refused)
    with pytest.raises(OSError, match="No space"):
        writer.rotate()
    writer.write(1)
    assert writer.kept() == lines(0, 11)
    assert [path.name for path in writer.folder.iterdir()] == [logfile.NAME]


PRINTS = """
import subprocess, sys, time
from pathlib import Path
from engine.process import logfile
logfile.keep(Path(sys.argv[1]), cap=5000, every=0.01)
for number in range(300):
    print("line", number, "\\udc80" if number == 0 else "")
    if number % 50 == 0:
        print("words", file=sys.stderr)
        subprocess.run(["sh", "-c", f"echo child {number}"], check=True)
        time.sleep(0.1)
    time.sleep(0.001)
"""


def test_a_process_that_prints_for_long_stays_below_its_cap(tmp_path: Path) -> None:
    log = (tmp_path / logfile.NAME).open("ab")
    source = tmp_path / "prints.py"
    source.write_text(PRINTS.replace("range(300)", "range(2000)"))
    done = subprocess.run([sys.executable, str(source), str(tmp_path)], stdout=log, stderr=log, cwd=Path.cwd(),
                          env={**os.environ, "PYTHONPATH": str(Path.cwd())}, check=False)  # fmt: skip
    assert done.returncode == 0
    sizes = [(tmp_path / name).stat().st_size for name in (logfile.NAME, logfile.BEFORE)]
    assert max(sizes) < 5000 * 4, "a rotation comes within a look or two"
    kept = everything(logfile.Reader(tmp_path), 4096)
    assert kept[-1] == b"line 1999 "
    numbered = [int(line.split()[1]) for line in kept if line.startswith(b"line")]
    assert numbered == list(range(numbered[0], 2000))
    assert any(line.startswith(b"child") for line in kept), "those it starts print to the new log too"
    assert (tmp_path / logfile.BEFORE).stat().st_mode & 0o777 == (tmp_path / logfile.NAME).stat().st_mode & 0o777


def test_a_log_that_takes_no_byte_fails_no_run(news: Path) -> None:
    run = new_run()
    (run / "engine.log").symlink_to("/dev/full")
    assert launch.start(run).wait() == 0
    assert rundir.state(run) == "finished"


def test_a_run_whose_log_is_rotated_all_the_time_is_whole_and_its_log_is_read_across(news: Path) -> None:
    run = new_run()
    (run / "engine.log").write_bytes(b"of an engine before\n" * (logfile.CAP // 20 + 1))
    assert launch.start(run).wait() == 0
    until((run / logfile.BEFORE).exists)
    assert (run / logfile.NAME).stat().st_size < 1 << 20
    said = call("logs", run.name, "-n", "100000000").out.splitlines()
    assert said[0] == "of an engine before"
    assert "run_finished" in said[-1]
    assert call("logs", run.name, "-n", "1").out.splitlines() == said[-1:]
    assert call("logs", run.name, "-f", "-n", "1").out.splitlines() == said[-1:]
