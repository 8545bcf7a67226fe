"""`lth sweep`: a grid of runs as one queue that goes on where it stopped, whatever becomes of one run."""

import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from engine.process import launch, sweeps
from engine.record import finding, rundir, trash
from engine.sweep import read
from lth_tui.commands.sweep import EXAMPLE
from tests.cli.conftest import ROOT, SMALL, call, command, lth, one_sentence, runs_here, until
from tests.record.real_runs import engine

HEAD = 'models = ["cnn"]\ndatasets = ["ag_news"]\n'


def write(tmp_path: Path, grid: str, *more: str, seeds: int = 1, head: str = HEAD) -> str:
    """A sweep of runs that take seconds; `more` are further settings."""
    given = dict(setting.split("=") for setting in (*SMALL, "schedule.rounds=1", *more))
    settings = "".join(f'"{path}" = "{value}"\n' for path, value in given.items() if path not in grid)
    path = tmp_path / "my sweep.toml"
    path.write_text(f"{head}seeds = {seeds}\n[settings]\n{settings}[grid]\n{grid}\n")
    return str(path)


def states(file: str) -> list[tuple[str, str]]:
    """Each run of the table, by its first varied setting: id and state, in order of the grid."""
    rows = call("sweep", file, "--table", "--json").json["runs"]
    return [(row["id"], row["state"]) for row in sorted(rows, key=lambda row: str(row["settings"]))]


def no_trace() -> None:
    assert not runs_here().exists() or finding.run_dirs(runs_here()) == []


def test_a_run_that_fails_stops_no_other_and_the_same_command_takes_it_up_again(news, tmp_path):
    file = write(tmp_path, "device = ['cuda:63', 'cpu']")
    said = lth("sweep", file)
    assert said.code == 1
    first, second = states(file)
    assert [first[1], second[1]] == ["finished", "failed"]
    assert f"run 1 of 2 (device cuda:63): {second[0]}" in said.err
    assert f"run 2 of 2 (device cpu): {first[0]}" in said.err
    assert "cuda:63" in said.err.partition("failed: ")[2].splitlines()[0]
    assert "1 of 2 runs is not finished" in said.err
    assert "seed 0" not in said.err, "a line a run, not a line a network"
    lines = [line.split() for line in said.out.splitlines()]
    assert lines[2][:2] == ["1", "cpu"]
    assert lines[3][0] == "cuda:63" and "failed" in lines[3]
    assert [one["tags"] for one in call("ls", "--json").json] == [["my sweep"]] * 2

    before = (runs_here() / first[0] / "events.jsonl").read_bytes()
    again = lth("sweep", file, "--json")
    assert again.code == 1
    assert "1 done already" in again.err
    assert f"{first[0]} is done already" in again.err
    assert (runs_here() / first[0] / "events.jsonl").read_bytes() == before
    assert [row["id"] for row in again.json["runs"]] == [first[0], second[0]]
    assert len(finding.run_dirs(runs_here())) == 2, "what failed is resumed, not begun anew"


def test_interrupted_it_stops_cleanly_and_says_how_to_go_on_which_finishes_the_very_same_runs(news, tmp_path):
    head = f'{HEAD}arms = ["ticket"]\n'
    file = write(tmp_path, "schedule.rate = [0.3, 0.5]", "training.epochs=48", head=head)
    working = subprocess.Popen(
        command("sweep", file),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    until(lambda: any(rundir.read_status(run).get("epoch") for run in made()))
    (at_work,) = filter(None, map(rundir.holder, made()))
    os.kill(at_work, signal.SIGSTOP)  # so that it cannot end before it is asked
    working.send_signal(signal.SIGINT)
    until(lambda: pending(at_work))
    os.kill(at_work, signal.SIGCONT)
    out, err = working.communicate(timeout=60)
    assert working.returncode == 130
    assert out == b""
    assert f"lth sweep '{file}'" in err.decode()
    assert b"Traceback" not in err
    before = states(file)
    assert [state for _, state in before] == ["stopped", "queued"]
    assert lth("sweep", file).code == 0
    assert states(file) == [(run, "finished") for run, _ in before]


def pending(process: int) -> bool:
    """Whether a signal waits for a process."""
    (waiting,) = (line for line in Path(f"/proc/{process}/status").read_text().splitlines() if line[:7] == "ShdPnd:")
    return int(waiting.split()[1], 16) > 0


def made() -> list[Path]:
    return finding.run_dirs(runs_here()) if runs_here().exists() else []


def test_detached_it_goes_on_alone_is_never_doubled_and_can_be_asked_to_stop(news, tmp_path):
    file = write(tmp_path, "schedule.rate = [0.3, 0.5]", "training.epochs=400")
    began = lth("sweep", file, "--detach", "--json")
    worker = sweeps.worker(runs_here(), Path(file))
    try:
        assert began.code == 0, began.err
        assert worker is not None, "a process works on it when the command returns"
        assert os.getsid(worker) == worker, "in a session of its own"
        assert f"lth sweep '{file}' --table" in began.err
        until(lambda: any(rundir.read_status(run).get("epoch") for run in made()))
        assert [state for _, state in states(file)] == ["running", "queued"]
        for arguments in ([], ["--detach"]):
            assert f"process {worker}" in one_sentence_of_two(lth("sweep", file, *arguments))
        assert len(made()) == 2

        stopped = lth("sweep", file, "--stop")
        assert (stopped.code, stopped.out) == (0, "")
        assert f"lth sweep '{file}'" in stopped.err
        assert [state for _, state in states(file)] == ["stopped", "queued"]
        assert sweeps.worker(runs_here(), Path(file)) is None
        log = Path(began.json["log"]).read_text()
        assert "run 1 of 2" in log
        assert "run 2 of 2" not in log
        assert "Traceback" not in log
    finally:
        if sweeps.worker(runs_here(), Path(file)):
            os.kill(worker, signal.SIGKILL)


def one_sentence_of_two(said) -> str:
    """The last line of a refusal that came after the number of runs was said."""
    assert said.code == 2
    assert said.out == ""
    return said.err.strip().splitlines()[-1]


def test_a_finished_run_that_no_sweep_made_is_taken_as_it_is(finished, tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "spawn", lambda run: pytest.fail(f"{run} was started"))
    monkeypatch.setenv("LTH_DATA", str(tmp_path / "no-data-are-needed"))
    file = write(tmp_path, "schedule.rate = [0.5]", "schedule.rounds=2", seeds=3)
    said = call("sweep", file, "--json")
    assert said.code == 0, said.err
    assert "1 done already" in said.err
    assert made() == [finished]
    shown = call("show", finished.name, "--json").json
    (row,) = said.json["runs"]
    assert row["id"] == finished.name
    assert row["dense_accuracy"] == shown["rounds"][0]["arms"]["dense"]["test_accuracy"]
    assert row["winning_ticket"] is shown["verdict"]["winning_ticket"]
    assert row["gap"] == shown["verdict"]["against"]["reinit"]["gap"]
    assert row["ci95"] == shown["verdict"]["against"]["reinit"]["ci95"]
    assert call("sweep", file, "--detach", "--json").json == said.json, "nothing is left to go on alone"


@pytest.mark.parametrize("arguments", [["--dry-run"], ["--table"]])
def test_looking_starts_nothing_and_makes_nothing(news, tmp_path, arguments):
    file = write(tmp_path, "schedule.rate = [0.3, 0.5]\nschedule.scope = ['layerwise', 'global']")
    said = call("sweep", file, *arguments)
    assert said.code == 0
    for part in ("0.3", "0.5", "layerwise", "global", "not begun"):
        assert part in said.out
    assert len(call("sweep", file, *arguments, "--json").json["runs"]) == 4
    assert not runs_here().exists()


def test_a_dry_run_says_how_much_there_is_to_do_and_how_long_it_takes_where_that_is_known(finished, news, tmp_path):
    file = write(tmp_path, "schedule.rate = [0.3, 0.5]", "schedule.rounds=2", seeds=3)
    said = call("sweep", file, "--dry-run")
    assert "my sweep: 2 runs, 1 done already, 21 trainings to come: at most about" in said.err
    assert "on this machine" in said.err
    rows = call("sweep", file, "--dry-run", "--json").json["runs"]
    assert [(row["state"], row["trainings"]) for row in rows] == [("not begun", 21), ("finished", 21)]
    assert rows[0]["seconds"] > 0


@pytest.mark.parametrize("arguments", [[], ["--detach"], ["--dry-run"]])
@pytest.mark.parametrize(
    ("head", "grid", "named"),
    [
        (HEAD, "schedule.rate = [0.5, 1.5]", ("schedule.rate", "1.5", "below 1")),
        ('models = ["cnn"]\ndatasets = ["ag_news", "agnews"]\n', "", ("dataset", "agnews", "ag_news")),
        ('models = ["cnn"]\ndatasets = ["ag_news", "imdb"]\n', "", ("imdb",)),
        ('models = ["cnn"]\ndatasets = ["ag_news", "/nowhere.csv"]\n', "", ("/nowhere.csv",)),
        (HEAD, "data.train_size = ['none', 241]", ("data.train_size", "241", "240")),
    ],
)
def test_one_bad_combination_is_said_before_anything_is_made(news, tmp_path, head, grid, named, arguments):
    said = call("sweep", write(tmp_path, grid, head=head), *arguments)
    words = one_sentence_of_two(said)
    assert all(part in words for part in named), words
    no_trace()


@pytest.mark.parametrize("arguments", [["--dry-run", "--detach"], ["--table", "--stop"]])
def test_two_things_at_once_are_refused(news, tmp_path, arguments):
    words = one_sentence(call("sweep", write(tmp_path, "schedule.rate = [0.5]"), *arguments))
    assert all(name in words for name in arguments)


def test_a_file_that_is_none_and_a_sweep_nobody_works_on_are_said(tmp_path):
    assert "does not exist" in one_sentence(call("sweep", str(tmp_path / "none.toml")))
    assert "nothing works on" in one_sentence(call("sweep", str(tmp_path / "none.toml"), "--stop"))
    assert one_sentence(call("sweep", "~nobody-of-that-name/x.toml"))


def test_codes_in_a_file_are_not_sent_to_the_terminal(news, tmp_path):
    code = "\\u001b]0;x\\u0007\\u202e\\n"
    for grid in (f'device = ["{code}"]', f'"{code}" = [3]', f'"{code}" = 2020-01-01', f'data.test_file = ["{code}"]'):
        assert one_sentence(call("sweep", write(tmp_path, grid))).isprintable()
    file = write(tmp_path, "", head=f'name = "{code}"\n{HEAD}')
    for arguments in (["--table"], ["--dry-run"]):
        said = call("sweep", file, *arguments)
        assert said.code == 0
        assert not set(said.out + said.err) & {"\x1b", "\x07", "\u202e"}


def test_the_help_shows_a_sweep_that_can_be_copied(tmp_path):
    said = lth("sweep", "--help", COLUMNS="80").out
    copied, own = tmp_path / "copied.toml", tmp_path / "own.toml"
    copied.write_text(said[said.index("  name =") : said.index("\n\n  The lists")])
    own.write_text(EXAMPLE)
    assert read(copied).cells == read(own).cells


def test_ctrl_c_before_the_first_run_starts_nothing(news, tmp_path, monkeypatch):
    def interrupted(*_):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(launch, "check", interrupted)
    said = call("sweep", write(tmp_path, "schedule.rate = [0.3, 0.5]"))
    assert said.code == 130
    assert "Nothing was started" in said.err
    no_trace()


def test_a_run_that_another_engine_works_on_is_followed_not_started(news, tmp_path, monkeypatch):
    file = write(tmp_path, "schedule.rate = [0.5]")
    spec = read(Path(file)).cells[0].spec
    run = launch.new_run(runs_here(), spec)
    monkeypatch.setattr(launch, "spawn", lambda run: pytest.fail(f"{run} was started"))
    with engine(run) as working:
        rundir.write_status(run, {"state": "running", "process": rundir.identity(working.pid)})

        def end() -> None:
            rundir.write_status(run, {"state": "finished", "sentence": "It is over."})
            working.kill()

        ending = threading.Timer(0.5, end)
        ending.start()
        said = call("sweep", file)
        ending.join()
    assert said.code == 0, said.err
    assert "It is over." in said.err
    assert made() == [run]


def test_a_run_that_is_removed_meanwhile_stops_no_other(news, tmp_path, monkeypatch):
    file = write(tmp_path, "schedule.rate = [0.3, 0.5]")
    started = []

    def start(run: Path, begin: object) -> None:
        if not started:
            trash.put(next(other for other in made() if other != run))
        started.append(run)
        rundir.write_status(run, {"state": "finished"})

    monkeypatch.setattr(launch, "start", start)
    said = call("sweep", file)
    assert len(started) == 1
    assert said.code == 1
    assert "did not start" in said.err
    assert "1 of 2 runs is not finished" in said.err
