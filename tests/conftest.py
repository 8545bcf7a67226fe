"""What every test stands on: folders of its own, and a made-up corpus small enough to train on in a second."""

import csv
import gc
import os
import random
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_textual_snapshot as pictures
from hypothesis import settings

from engine.places import encoded_root
from engine.record import liveness, modes

settings.register_profile("lth", deadline=None)  # a busy machine is no failure
settings.load_profile("lth")

os.environ["LTH_CACHE"] = "off"  # for fixtures that serve many tests; each test has its own
os.environ.pop("LTH_CACHE_GB", None)
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # each of the engines started here would compile the code anew

# A shell that starts the tests in the background has interrupts ignored, which every program they start would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # and one started by nohup has hang-ups ignored


def pytest_configure(config: pytest.Config) -> None:
    """Screens that look otherwise than before are shown in a file that nobody keeps, without the environment that the
    plugin would write into it: that may hold secrets.
    """
    if config.option.snapshot_report == "snapshot_report.html":
        config.option.snapshot_report = "build/screens.html"
    made = pictures.SvgSnapshotDiff
    pictures.SvgSnapshotDiff = lambda **told: made(**told | {"environment": {}})


WORDS = {
    "World": "election minister treaty border parliament",
    "Sports": "goal season coach striker stadium",
    "Business": "shares profit market merger bank",
    "Sci/Tech": "software chip satellite browser genome",
}
COMMON = [
    "the",
    "a",
    "of",
    "and",
    "to",
    "in",
    "on",
    "for",
    "said",
    "with",
    "new",
    "year",
    "after",
    "its",
    "two",
    "week",
]


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test touches the user's runs, datasets or cache, and no engine outlives the test that started it."""
    monkeypatch.setenv("LTH_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("LTH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LTH_CACHE", str(tmp_path / "dense"))
    monkeypatch.setenv("LTH_SCHEDULES", str(tmp_path / "schedules"))
    monkeypatch.setenv("LTH_KEYS", str(tmp_path / "keys.toml"))
    monkeypatch.setenv("LTH_SLOTS", "8")  # so that a run waits only where a test is about that
    monkeypatch.setenv("LTH_SLOTS_FILE", str(tmp_path / "slots"))
    yield
    for lock in [*tmp_path.glob("runs/.queue-*/engine.lock"), *tmp_path.glob("runs/*/engine.lock")]:
        pid = liveness.holder(lock.parent)
        if pid and pid != os.getpid():
            os.kill(pid, signal.SIGKILL)


def write_news(folder: Path, train: int = 240, test: int = 80) -> Path:
    """A small ag_news in classic csv, learnable but not trivially so."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, count, seed in (("train.csv", train, 1), ("test.csv", test, 2)):
        draw = random.Random(seed)
        with (folder / name).open("w", newline="") as file:
            rows = csv.writer(file, quoting=csv.QUOTE_ALL)
            for i in range(count):
                label = i % 4
                own = list(WORDS.values())[label].split()
                other = list(WORDS.values())[draw.randrange(4)].split()
                words = draw.choices(own, k=2) + draw.choices(other, k=1) + draw.choices(COMMON, k=draw.randint(4, 14))
                draw.shuffle(words)
                rows.writerow([label + 1, " ".join(words[:3]), " ".join(words[3:])])
    return folder


@pytest.fixture(scope="session")
def _references(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The linear references that engines have computed so far."""
    return tmp_path_factory.mktemp("references")


@pytest.fixture
def news(tmp_path: Path, _references: Path) -> Iterator[Path]:
    """The small ag_news, where the engine finds it; and in the cache what its linear references came to before.

    So most engines need not import what computes them, which takes as long as all else that they do.
    """
    folder = write_news(tmp_path / "data" / "ag_news")
    encoded = encoded_root()
    modes.make(encoded)
    for kept in _references.iterdir():
        shutil.copy(kept, encoded)
    yield folder
    for found in encoded.glob("*.linear"):
        shutil.copy(found, _references)


def pytest_collection_finish(session: pytest.Session) -> None:
    """What all tests together import is no garbage: looking through it again and again took a third of their time."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures of `tests/faults`, of failed trials too. Here, since under xdist nobody else who gathers reports is
    asked: the process that starts the workers reads no conftest below this one.
    """
    reports = [report for of_a_kind in terminalreporter.stats.values() for report in of_a_kind]
    lines = dict.fromkeys(
        (report.nodeid, line)
        for report in reports
        if isinstance(report, pytest.TestReport) and report.when == "call"
        for name, line in report.user_properties
        if name == "faults"
    )
    if lines:
        terminalreporter.section("faults")
        for _, line in sorted(lines):
            terminalreporter.line(line)
