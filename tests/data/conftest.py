"""What the tests of the data share: a data folder of their own, small csv files, and the real sets where they are."""

import csv
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from engine.data import pydoc
from engine.data.corpus import Corpus

Rows = Iterable[tuple[object, ...]]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder that LTH_DATA points at, so that no test reads or writes the user's."""
    monkeypatch.setenv("LTH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def write() -> Callable[..., Path]:
    """Writes a folder with train.csv and test.csv: four classes, five and two texts each, unless rows are given."""

    def write_(folder: Path, train: Rows | None = None, test: Rows | None = None) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for part, given, each in (("train", train, 5), ("test", test, 2)):
            rows = given
            if rows is None:
                rows = [
                    (c, f"Title {c}", f"{part} words of class {c}, text {n}.") for n in range(each) for c in range(1, 5)
                ]
            with (folder / f"{part}.csv").open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows(rows)
        return folder

    return write_


@pytest.fixture
def ag_news(home: Path, write: Callable[..., Path]) -> Path:
    """A made-up ag_news, put by hand where LTH_DATA points."""
    return write(home / "ag_news")


@pytest.fixture(scope="session")
def library_corpus() -> Corpus:
    """The built-in corpus of the Python that runs the tests, read once."""
    return pydoc.assemble("pydoc", pydoc.extract(pydoc.library()), "this Python")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of published datasets: LTH_TEST_DATA, else shared/data beside the checkout."""
    given = os.environ.get("LTH_TEST_DATA")
    folder = Path(given) if given else Path(__file__).resolve().parents[3] / "shared" / "data"
    if not (folder / "ag_news").is_dir():
        pytest.skip(f"no published datasets in {folder}; set LTH_TEST_DATA to measure on them")
    return folder
