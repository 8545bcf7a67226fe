"""Datasets from the hub: pinned, checked, resumable; every bad day is one sentence and leaves what was there alone."""

import io
import json
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from engine import catalog
from tests.hub import Hub, Repository, serving

CARD = catalog.DATASETS["ag_news"]
TRAIN, TEST, OTHER = (f"data/{split}-00000-of-00001.parquet" for split in ("train", "test", "unsupervised"))
README = """---
configs:
- config_name: default
  data_files:
  - {split: train, path: data/train-*}
  - {split: test, path: data/test-*}
  - {split: unsupervised, path: data/unsupervised-*}
---
# AG News
"""
FAILED = f"dataset: ag_news could not be fetched from {CARD.hub.repository} at revision {CARD.hub.revision[:12]}"
BY_HAND = "bring the files with: lth data import ag_news PATH."


def table(count: int, labels: int = 4) -> bytes:
    """Rows as the hub has them, with a column that is nobody's business."""
    rows = range(count)
    columns = {
        **{name: [f"{name} {row} says {row * 7919} of it" for row in rows] for name in CARD.hub.text},
        CARD.hub.label: [row % labels for row in rows],
        "secret": ["never copied"] * count,
    }
    file = io.BytesIO()
    parquet.write_table(pa.table(columns), file)
    return file.getvalue()


@pytest.fixture
def hub() -> Iterator[Hub]:
    files = {"README.md": README.encode(), TRAIN: table(400), TEST: table(40), OTHER: table(900)}
    with serving(Repository("datasets", CARD.hub.repository, CARD.hub.revision, files)) as served:
        yield served


@pytest.fixture
def lth(hub, tmp_path):
    """The command line in a process of its own, which knows no hub but this one."""

    def run(*arguments: str, limit: int | None = None, **environment: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "lth_tui.cli", "data", *arguments],
            check=False,
            capture_output=True,
            text=True,
            env={**hub.environment(tmp_path / "hf"), "PYTHONDONTWRITEBYTECODE": "1", **environment},
            timeout=300,
            preexec_fn=(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))) if limit else None,
        )

    return run


def refused(done: subprocess.CompletedProcess) -> str:
    """The one sentence of a command that was refused."""
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    return line


def held(home: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (home / "ag_news").iterdir()}


def test_a_fetched_set_is_here_and_only_the_pinned_revision_was_asked_for(lth, hub, home, tmp_path):
    done = lth("fetch", "ag_news", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    summary = json.loads(done.stdout)
    assert summary["train"] == dict.fromkeys(CARD.classes, 100)
    assert summary["test"] == dict.fromkeys(CARD.classes, 10)
    (row,) = [row for row in json.loads(lth("ls", "--json").stdout) if row["name"] == "ag_news"]
    assert (row["here"], row["train"], row["test"]) == (True, 400, 40)
    assert all(CARD.hub.revision in path for _, path, _ in hub.log)
    assert not hub.asked("unsupervised-")
    assert parquet.read_schema(home / "ag_news" / "train.parquet").names == [*CARD.hub.text, CARD.hub.label]
    assert not (home / ".fetch" / "ag_news").exists()
    assert not (tmp_path / "runs").exists()


def test_a_person_is_told_where_it_is_and_what_to_do_with_it(lth, home):
    done = lth("fetch", "ag_news")
    assert done.returncode == 0
    assert f"ag_news: 400 training and 40 test texts of 4 classes are in {home / 'ag_news'}." in done.stderr
    assert "lth run -m cnn -d ag_news" in done.stderr


def test_a_transfer_that_breaks_once_goes_on_from_where_it_was(lth, hub):
    hub.breaks[TRAIN] = 1
    assert lth("fetch", "ag_news").returncode == 0
    half = len(hub.repositories[0].files[TRAIN]) // 2
    assert [asked for _, _, asked in hub.asked(TRAIN)] == ["", f"bytes={half}-"]


def test_a_server_that_sends_the_whole_file_again_is_understood(lth, hub):
    hub.breaks[TRAIN], hub.ranges = 1, False
    assert lth("fetch", "ag_news").returncode == 0


def test_a_transfer_that_keeps_breaking_leaves_the_old_copy_and_the_next_command_goes_on(lth, hub, home, ag_news):
    before = held(home)
    hub.breaks[TEST], hub.cut_after = 1, {TEST}
    said = refused(lth("fetch", "ag_news"))
    remedy = f"run the same command again and it goes on where it broke off, or {BY_HAND}"
    assert said == f"{FAILED} (the connection broke); {remedy}"
    assert held(home) == before
    hub.cut_after.clear()
    hub.log.clear()
    assert lth("fetch", "ag_news").returncode == 0
    assert not hub.asked(TRAIN)
    half = len(hub.repositories[0].files[TEST]) // 2
    assert [asked for _, _, asked in hub.asked(TEST)] == [f"bytes={half}-"]
    assert {"train.parquet", "test.parquet"} <= held(home).keys()
    assert "train.csv" not in held(home)


def test_an_interrupt_is_said_and_the_next_command_goes_on(lth, hub, home, tmp_path):
    hub.stalls.add(TRAIN)
    fetching = subprocess.Popen(
        [sys.executable, "-m", "lth_tui.cli", "data", "fetch", "ag_news"],
        stderr=subprocess.PIPE,
        text=True,
        env=hub.environment(tmp_path / "hf"),
    )
    half = len(hub.repositories[0].files[TRAIN]) // 2
    deadline = time.monotonic() + 120
    while sum(file.stat().st_size for file in home.glob(".fetch/ag_news/*.incomplete")) < half:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    fetching.send_signal(signal.SIGINT)
    _, words = fetching.communicate(timeout=300)
    assert fetching.returncode == 130
    assert words == "Interrupted; what came is kept, so the same command goes on from there.\n"
    assert not (home / "ag_news").exists()
    assert not (tmp_path / "runs").exists()
    hub.stalls.clear()
    hub.log.clear()
    assert lth("fetch", "ag_news").returncode == 0
    assert [asked for _, _, asked in hub.asked(TRAIN)] == [f"bytes={half}-"]


def test_a_revision_or_a_repository_that_is_gone(lth, hub, home, ag_news):
    before = held(home)
    (whole,) = hub.repositories
    hub.repositories = [replace(whole, commit="0" * 40)]
    assert refused(lth("fetch", "ag_news")) == f"{FAILED} (the hub has no such revision of it); {BY_HAND}"
    hub.repositories = []
    said = refused(lth("fetch", "ag_news"))
    assert said == f"{FAILED} (the hub has no such repository, or it is private); {BY_HAND}"
    assert held(home) == before


def test_a_revision_seen_before_is_not_taken_for_the_one_that_is_pinned(lth, hub, home):
    assert lth("fetch", "ag_news").returncode == 0
    before = held(home)
    (whole,) = hub.repositories
    hub.repositories = [replace(whole, commit="0" * 40)]
    assert "the hub has no such revision of it" in refused(lth("fetch", "ag_news"))
    assert held(home) == before


def test_offline_a_hub_that_is_ill_and_no_hub_at_all(lth, hub):
    said = refused(lth("fetch", "ag_news", HF_HUB_OFFLINE="1"))
    assert said == f"{FAILED} (HF_HUB_OFFLINE is set); unset it and run the same command again, or {BY_HAND}"
    assert hub.log == []
    hub.status = 500
    assert "(the hub answered 500); run the same command again" in refused(lth("fetch", "ag_news"))
    said = refused(lth("fetch", "ag_news", HF_ENDPOINT="http://127.0.0.1:9"))  # nobody listens
    assert "(the hub cannot be reached); run the same command again" in said


def test_a_file_that_is_not_what_the_hub_named_is_not_kept(lth, hub, home):
    hub.garbles.add(TRAIN)
    assert f"({TRAIN} arrived damaged); run the same command again" in refused(lth("fetch", "ag_news"))
    assert not (home / "ag_news").exists()
    hub.garbles.clear()
    assert lth("fetch", "ag_news").returncode == 0


def test_a_small_file_is_held_against_its_name_in_git(lth, hub, home):
    card = catalog.DATASETS["sst2"]
    rows = [{**dict.fromkeys(card.hub.text, f"a text {row}"), card.hub.label: row % 2} for row in range(4)]
    content = "".join(f"{json.dumps(row)}\n" for row in rows).encode()
    files = {"train.jsonl": content, "test.jsonl": content}  # whose last character is still white space, once turned
    hub.repositories = [Repository("datasets", card.hub.repository, card.hub.revision, files)]
    hub.garbles.add("test.jsonl")
    assert "(test.jsonl arrived damaged); run the same command again" in refused(lth("fetch", "sst2"))
    assert not (home / "sst2").exists()
    hub.garbles.clear()
    assert lth("fetch", "sst2").returncode == 0


def test_what_came_is_checked_like_what_is_imported(lth, hub, home, ag_news):
    before = held(home)
    hub.repositories[0].files[TRAIN] = table(400, labels=5)
    said = refused(lth("fetch", "ag_news"))
    assert said.startswith(f"dataset: {CARD.hub.repository}/train.parquet, row 5: label '4' given; give a number from")
    assert held(home) == before
    assert not list(home.glob(".fetch/ag_news/made"))


@pytest.mark.parametrize("name", [name for name, card in catalog.DATASETS.items() if card.hub and name != "ag_news"])
def test_every_other_set_of_the_menu(lth, hub, home, name):
    card = catalog.DATASETS[name]
    each = 2 * len(card.classes)
    rows = [{**dict.fromkeys(card.hub.text, f"a text {row}"), card.hub.label: row % len(card.classes), "other": "no"}
            for row in range(each)]  # fmt: skip
    if name == "sst2":  # which its publisher keeps as lines of json
        content = "".join(f"{json.dumps(row)}\n" for row in rows).encode()
        files = {"train.jsonl": content, "dev.jsonl": b'{"text": 1}', "test.jsonl": content}
    else:
        file = io.BytesIO()
        parquet.write_table(pa.Table.from_pylist(rows), file)
        files = {f"some/{part}-00000-of-00001.parquet": file.getvalue() for part in ("train", "test", "unsupervised")}
        files["README.md"] = README.replace("data/", "some/").encode()
    hub.repositories = [Repository("datasets", card.hub.repository, card.hub.revision, files)]
    done = lth("fetch", name, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["train"] == dict.fromkeys(card.classes, 2)
    assert not hub.asked("dev.jsonl") + hub.asked("unsupervised-")
    assert parquet.read_schema(home / name / "test.parquet").names == [*card.hub.text, card.hub.label]


def test_other_columns_and_other_files_than_the_card_says(lth, hub, tmp_path):
    files = hub.repositories[0].files
    file = io.BytesIO()
    parquet.write_table(pa.table({"review": ["a"], "stars": [1]}), file)
    whole, files[TRAIN] = files[TRAIN], file.getvalue()
    assert f"has no column '{CARD.hub.text[0]}' (review, stars instead)" in refused(lth("fetch", "ag_news"))
    files[TRAIN] = whole
    lines = {"train.jsonl": b'{"review": "a", "stars": 1}\n', "test.jsonl": b'{"review": "a", "stars": 1}\n'}
    hub.repositories = [replace(hub.repositories[0], files=lines)]
    said = refused(lth("fetch", "ag_news", HF_HOME=str(tmp_path / "a third")))
    assert f"has no column '{CARD.hub.text[0]}' (review, stars instead)" in said
    hub.repositories = [replace(hub.repositories[0], files=files)]
    del files[TEST]
    files["README.md"] = b"# no configurations"
    said = refused(lth("fetch", "ag_news", HF_HOME=str(tmp_path / "another")))
    assert "has no files for its split 'test'" in said


def test_a_disk_that_does_not_take_it(lth, hub, home, tmp_path):
    (tmp_path / "file").write_text("no folder")
    said = refused(lth("fetch", "ag_news", LTH_DATA=str(tmp_path / "file" / "data")))
    assert "make room or set LTH_DATA to a folder that can be written, then run the same command again" in said
    said = refused(lth("fetch", "ag_news", limit=4096))  # as a full disk does, it ends a file half-way
    assert "make room or set LTH_DATA" in said
    assert not (home / "ag_news").exists()
    assert lth("fetch", "ag_news").returncode == 0


@pytest.mark.parametrize(
    ("name", "words"), [("pydoc", "is built in and needs no fetching"), ("ag_new", "did you mean")]
)
def test_a_name_that_cannot_be_fetched(lth, hub, name, words):
    assert words in refused(lth("fetch", name))
    assert hub.log == []


def test_one_fetch_at_a_time(lth, hub, home):
    from filelock import FileLock

    (home / ".fetch").mkdir()
    with FileLock(home / ".fetch" / "ag_news.lock"):
        assert "is being fetched by another command" in refused(lth("fetch", "ag_news"))
    assert lth("fetch", "ag_news").returncode == 0
