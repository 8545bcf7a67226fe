"""The inbox: which ends are news, what a mark says, and that a look where nothing happened reads no file."""

import time
from pathlib import Path

import orjson
import pytest

from engine.record import history, notes, rundir
from lth_tui import news, preferences
from tests.app.story import Story

NOW = time.time()


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A runs folder whose inbox began a while ago."""
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / preferences.FILE).write_bytes(orjson.dumps({news.SINCE: NOW - 1000, "theme": "nord"}))
    return runs


def look(runs: Path, inbox: news.Inbox | None = None) -> list[tuple[str, str]]:
    found = (inbox or news.Inbox(runs)).look(history.refresh(runs)[0])
    return [(one.run, one.state) for one in found]


def ended(runs: Path, state: str = "finished", ago: float = 10.0) -> Path:
    return Story(runs, state, finished=NOW - ago, updated=NOW - ago, process={}).run


@pytest.mark.parametrize("state", ["finished", "failed", "stopped"])
def test_an_end_is_news_until_it_is_read(runs, state):
    run = ended(runs, state)
    inbox = news.Inbox(runs)
    assert look(runs, inbox) == [(run.name, state)]
    notes.write(run, read=news.end(run, state))
    assert look(runs, inbox) == []
    assert look(runs) == []


def test_a_run_whose_engine_is_gone_is_news_and_stays_read(runs):
    run = ended(runs, "running")
    inbox = news.Inbox(runs)
    assert look(runs, inbox) == [(run.name, "orphaned")]
    notes.write(run, read=news.end(run, "orphaned"))
    assert look(runs, inbox) == []


def test_what_is_not_over_is_no_news(runs):
    Story(runs, "running")  # on another machine, and alive
    Story(runs, "queued")
    assert look(runs) == []


def test_a_run_that_is_resumed_and_ends_again_is_news_again(runs):
    story = Story(runs, "failed", finished=NOW - 20)
    inbox = news.Inbox(runs)
    look(runs, inbox)
    notes.write(story.run, read=NOW - 20)
    assert look(runs, inbox) == []
    story.say("running")
    assert look(runs, inbox) == []
    story.say("failed", finished=NOW - 5)
    assert look(runs, inbox) == [(story.run.name, "failed")]


def test_an_end_on_a_machine_whose_clock_is_behind_is_news_too(runs):
    story = Story(runs, "failed", finished=NOW - 20)
    notes.write(story.run, read=NOW - 20)
    story.say("finished", finished=NOW - 500)
    assert look(runs) == [(story.run.name, "finished")]


def test_what_ended_before_the_app_was_first_opened_floods_nobody(tmp_path):
    runs = tmp_path / "old"
    for ago in (5, 10_000):
        ended(runs, ago=ago)
    inbox = news.Inbox(runs)
    assert look(runs, inbox) == []
    later = Story(runs, "finished", finished=time.time() + 1).run
    assert look(runs, inbox) == [(later.name, "finished")]
    assert look(runs) == [(later.name, "finished")], "and it stays so with the next app"


def test_made_unread_by_hand_even_an_old_run_is_news(runs):
    run = ended(runs, ago=5000)
    assert look(runs) == []
    notes.write(run, read=0.0)
    assert look(runs) == [(run.name, "finished")]


def test_a_failure_before_the_engine_began_is_news(runs):
    run = Story(runs, "queued").run
    rundir.fail(run, "no such dataset")
    assert look(runs) == [(run.name, "failed")]


def test_the_latest_end_comes_first(runs):
    made = [ended(runs, ago=ago).name for ago in (30, 10, 20)]
    assert [run for run, _ in look(runs)] == [made[1], made[2], made[0]]


def test_a_look_where_nothing_happened_reads_no_file(runs, monkeypatch):
    for number in range(20):
        run = ended(runs, ago=10 + number)
        notes.write(run, note="mine", read=news.end(run, "finished") if number % 2 else None)
    inbox = news.Inbox(runs)
    summaries = history.refresh(runs)[0]
    assert len(inbox.look(summaries)) == 10
    monkeypatch.setattr(rundir, "load_json", lambda *_: pytest.fail("a file was read"))
    assert len(inbox.look(summaries)) == len(inbox.look(list(summaries))) == 10


def test_old_runs_without_a_mark_are_never_read_at_all(runs, monkeypatch):
    summaries = [one | {"stamp": [1, int((NOW - 5000) * 1e9), 1, 0, 0, 0]} for one in _summaries(runs, 50)]
    inbox = news.Inbox(runs)
    inbox.since = NOW - 1000
    monkeypatch.setattr(rundir, "load_json", lambda *_: pytest.fail("a file was read"))
    assert inbox.look(summaries) == []


def _summaries(runs: Path, count: int) -> list[history.Summary]:
    base = history.summarise(ended(runs))
    return [base | {"id": f"{number:04x}"} for number in range(count)]


def test_a_mark_is_believed_before_it_is_written_and_forgotten_once_it_is(runs):
    run = ended(runs)
    inbox = news.Inbox(runs)
    look(runs, inbox)
    when = news.end(run, "finished")
    inbox.expect(run.name, when)
    assert look(runs, inbox) == []
    notes.write(run, read=when)
    assert look(runs, inbox) == []
    notes.write(run, read=None)  # another app
    assert look(runs, inbox) == [(run.name, "finished")]


def test_what_another_app_has_read_is_read_here(runs):
    run = ended(runs)
    one, other = news.Inbox(runs), news.Inbox(runs)
    assert look(runs, one) == look(runs, other) != []
    notes.write(run, read=news.end(run, "finished"))
    assert look(runs, one) == look(runs, other) == []


def test_what_else_the_app_keeps_stays_when_the_inbox_begins(tmp_path):
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / preferences.FILE).write_bytes(b'{"theme": "nord"}')
    began = news.begun(runs)
    assert orjson.loads((runs / preferences.FILE).read_bytes()) == {"theme": "nord", news.SINCE: began}


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"inbox_since": "x"}', b'{"inbox_since": true}', b"\xff", b'{"inbox_since": 1e300}']
)
def test_a_damaged_file_of_the_app_begins_the_inbox_anew(tmp_path, content):
    (tmp_path / preferences.FILE).write_bytes(content)
    began = news.begun(tmp_path)
    assert abs(began - time.time()) < 100
    assert news.begun(tmp_path) == began


def test_a_runs_folder_that_is_a_file_has_an_empty_inbox(tmp_path):
    (tmp_path / "runs").write_text("no folder")
    assert news.Inbox(tmp_path / "runs").look([]) == []


@pytest.mark.parametrize("status", [{"finished": "soon"}, {"finished": 1e300}, {}, {"finished": True}])
def test_an_end_without_a_proper_time_is_that_of_the_file(runs, status):
    run = Story(runs, "finished", **status).run
    assert news.end(run, "finished") == (run / "status.json").stat().st_mtime
    assert look(runs) == [(run.name, "finished")]


def test_what_was_shown_in_a_shell_is_read(runs):
    run, old, live = ended(runs), ended(runs, ago=5000), Story(runs, "running").run
    for one in (run, old, live):
        news.seen(one)
    assert look(runs) == []
    assert notes.read(run).read == news.end(run, "finished")
    assert not (old / notes.FILE).exists(), "nothing is written that says nothing"
    assert not (live / notes.FILE).exists()


def test_who_never_opened_the_app_gets_no_marks(tmp_path):
    run = Story(tmp_path / "runs", "finished", finished=NOW).run
    news.seen(run)
    assert not (run / notes.FILE).exists()


def test_show_marks_what_it_shows(runs, monkeypatch):
    from typer.testing import CliRunner

    from lth_tui import cli

    monkeypatch.setenv("LTH_RUNS", str(runs))
    run = ended(runs)
    assert CliRunner().invoke(cli.app, ["show", run.name, "--json"]).exit_code == 0
    assert look(runs) != [], "a program has read it, nobody else"
    assert CliRunner().invoke(cli.app, ["show", run.name]).exit_code == 0
    assert look(runs) == []
