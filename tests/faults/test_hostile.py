"""Hostile text through every command that reads: no crash, and nothing on the terminal that a terminal would obey."""

import json
import os
import pty
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from engine.record import liveness, rundir
from lth_tui import follow, output
from tests.cli.conftest import ROOT, Said, call, command, runs_here
from tests.faults import hostile
from tests.faults.trials import figures, trials

# C0 but for newline and tab, DEL, C1, and what reorders the text around it.
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff]")
READS = [
    ("ls",), ("ls", "--json"), ("ls", "--csv"), ("show", "{run}"), ("show", "{run}", "--json"),
    ("show", "{run}", "--csv"), ("show", "{run}", "--metric", "loss"), ("logs", "{run}", "-n", "0"),
    ("logs", "{run}", "--json"), ("watch", "{run}"), ("watch", "{run}", "--json"), ("compare", "{run}", "{other}"),
    ("compare", "{run}", "{other}", "--json"), ("schedules",), ("schedules", "--json"),
    ("schedules", "show", "{schedule}"), ("schedules", "show", "{schedule}", "--json"), ("data", "show", "{dataset}"),
    ("data", "show", "{dataset}", "--json"), ("data", "ls"), ("datasets",), ("cache", "ls"), ("cache", "ls", "--json"),
    ("{text}",), ("show", "{text}"), ("rm", "{text}"), ("rm", "--undo", "{text}"), ("stop", "{run}"),
    ("data", "show", "{text}"), ("data", "import", "{text}", "{text}"), ("schedules", "show", "{text}"),
    ("compare", "{run}", "{other}", "--arm", "{text}"), ("ls", "--{text}"), ("ls", "{text}"), ("ls", "-n", "{text}"),
    ("run", "-m", "{text}", "-d", "{text}"), ("run", "-m", "cnn", "-d", "{dataset}", "--set", "{text}={text}"),
    ("resume", "{run}"), ("extend", "{run}", "--seeds", "5"), ("sweep", "{schedule}"), ("transfer", "{run}"),
    ("queue",), ("queue", "--json"), ("queue", "move", "{run}", "{text}"), ("note", "{run}"),
    ("note", "{run}", "{text}", "--tag", "{text}"), ("note", "{run}", "--json"),
    ("stability", "{run}"), ("pretrain", "-d", "{text}"), ("reindex",),
]  # fmt: skip


def safe(said: Said, about: object) -> None:
    """What a command said may be read on any terminal."""
    assert said.code in (0, 1, 2), about
    for stream in (said.out, said.err):
        assert "Traceback (most recent call last)" not in stream, about
        if found := OBEYED.search(stream.replace("\r\n", "\n") if "--csv" in str(about) else stream):
            raise AssertionError(f"{about}: {found[0]!r} in {stream[max(0, found.start() - 40) : found.end() + 40]!r}")


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(liveness, "STALE", 0.3)  # so that an engine elsewhere is not waited for
    monkeypatch.setattr(follow, "_TAKEN_UP", 0.1)


def place(folder: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A world of its own, full of one hostile text: what stands for the words in braces."""
    text = hostile.text(number)
    home = folder / str(number)
    monkeypatch.setenv("LTH_RUNS", str(home / "runs"))
    monkeypatch.setenv("LTH_SCHEDULES", str(home / "schedules"))
    states = ("finished", "failed", "running", "queued", "stopped")
    made = [hostile.run(home / "runs", text, states[(number + more) % 5]) for more in (0, 1)]
    other = hostile.run(home / "runs", text, "finished")
    schedule, dataset = hostile.schedule(home / "schedules", text), hostile.dataset(home / "data", text)
    files = {"schedule": str(schedule), "dataset": str(dataset)}
    return {"run": made[0].name, "other": other.name, "text": text.replace("\0", "")[:2000], **files}


def filled(words: tuple[str, ...], given: dict[str, str]) -> list[str]:
    return [re.sub(r"\{(\w+)\}", lambda found: given[found[1]], word) for word in words]


def test_no_command_that_reads_lets_anything_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    count = trials(500, 100)
    codes: dict[int, int] = {}
    for number in range(count):
        given = place(tmp_path, number, monkeypatch)
        for more in range(6):  # each command meets a dozen of texts in the short form, too
            words = READS[(number * 6 + more + number // len(READS)) % len(READS)]
            said = call(*filled(words, given))
            safe(said, (number, words))
            codes[said.code] = codes.get(said.code, 0) + 1
    run = sum(codes.values())
    figures(request)(f"hostile strings: {count} texts, {run} commands: 0 crashes, 0 raw control bytes")
    assert codes.get(0, 0) > count, "most of it is shown, not refused"


def test_what_json_says_is_the_very_same_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(0, trials(500, 100), 3):
        given = place(tmp_path, number, monkeypatch)
        run = runs_here() / given["run"]
        shown = json.loads(call("show", run.name, "--json").out)
        assert shown["spec"] == json.loads((run / "spec.json").read_bytes())
        assert hostile.written(hostile.text(number)) in shown["warnings"]
        (listed,) = (one for one in json.loads(call("ls", "--json").out) if one["id"] == run.name)
        assert listed["sentence"] == rundir.read_status(run).get("sentence")  # a status of a megabyte is damaged


@pytest.mark.parametrize("value", [hostile.text(number) for number in range(len(hostile.ATOMS))], ids=ascii)
def test_any_text_in_json_is_safe_on_a_terminal_and_unchanged(value: str) -> None:
    given: Any = {value: [value, 2**70, {"x": value}]}
    for indent in (True, False):
        told = output.as_json(given, indent)
        assert json.loads(told) == given
        assert not OBEYED.search(told)


def drawn(*arguments: str) -> tuple[int, str]:
    """`lth` on a terminal of its own: its exit code, and every byte that the terminal was sent."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
    environment.pop("NO_COLOR", None)
    process = subprocess.Popen(
        command(*arguments), stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
    )
    os.close(theirs)
    said = b""
    try:
        while piece := os.read(ours, 65536):
            said += piece
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    return process.wait(60), said.decode()


def test_on_a_real_terminal_nothing_comes_but_colours_and_the_cursor(tmp_path: Path, monkeypatch) -> None:
    numbers = [len(hostile.ATOMS) + more for more in range(trials(12, 2))]
    for number in numbers:
        given = place(tmp_path, number, monkeypatch)
        for words in (("ls",), ("show", "{run}"), ("show", "{run}", "--json"), ("logs", "{run}"), ("watch", "{other}"),
                      ("data", "show", "{dataset}"), ("compare", "{run}", "{other}"), ("show", "{text}")):  # fmt: skip
            code, said = drawn(*filled(words, given))
            assert code in (0, 1, 2), (number, words)
            assert "Traceback (most recent call last)" not in said, (number, words)
            bare = re.sub(r"\x1b\[[0-9;]*m|\x1b\[\?25[hl]|\x1b\[[0-9]*[ABCDGK]", "", said).replace("\r", "")
            assert not (found := OBEYED.search(bare)), (number, words, found)


@pytest.mark.parametrize("text", ["..", "../..", ".", "/etc", "../../x", ".trash", "a/../b", "~", "\x00"])
def test_no_name_leads_out_of_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    place(tmp_path, 0, monkeypatch)
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    for words in (("rm", text), ("rm", "--undo", text), ("show", text), ("stop", text), ("data", "import", text, text)):
        said = call(*words)
        assert (said.code, said.out) == (2, ""), words
    left = sorted(str(path) for path in tmp_path.rglob("*"))
    assert [path for path in left if path not in before and "history" not in path] == []


def test_a_link_in_the_runs_folder_is_no_run_wherever_it_leads(tmp_path: Path, monkeypatch) -> None:
    given = place(tmp_path, 0, monkeypatch)
    outside = tmp_path / "elsewhere"
    (runs_here() / given["run"]).rename(outside)
    (runs_here() / given["run"]).symlink_to(outside)
    (runs_here() / "alias").symlink_to(runs_here() / given["other"])
    assert given["run"] not in {one["id"] for one in json.loads(call("ls", "--json").out)}
    for words in (("rm", given["run"]), ("show", given["run"]), ("show", "alias")):
        assert call(*words).code == 2
    assert (outside / "spec.json").exists()
    (runs_here() / ".trash").symlink_to(tmp_path / "data")
    (tmp_path / "data").mkdir()
    assert call("rm", given["other"]).code == 2
    assert list((tmp_path / "data").iterdir()) == []


def test_an_import_replaces_a_link_and_never_what_it_leads_to(tmp_path: Path) -> None:
    from tests.conftest import write_news

    write_news(tmp_path / "given")
    kept = write_news(tmp_path / "elsewhere", train=100)
    before = {path.name: path.read_bytes() for path in kept.iterdir()}
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ag_news").symlink_to(kept)
    assert call("data", "import", "ag_news", str(tmp_path / "given")).code == 0
    assert not (tmp_path / "data" / "ag_news").is_symlink()
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == before
