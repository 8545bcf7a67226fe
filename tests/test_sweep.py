"""A sweep: the grid that a file describes, what is wrong with a file, which runs exist already, and their ranking."""

import json
import math
import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from engine import ranking, stats
from engine import spec as specs
from engine import sweep as sweeps
from engine.errors import BadInput
from engine.process import sweeps as at_work
from engine.record import finding, rundir
from engine.record.events import EventLog
from lth_tui import sweep as words
from lth_tui.commands.sweep import EXAMPLE
from tests.record.real_runs import python
from tests.test_tables import odd, printed

HEAD = 'models = ["cnn"]\ndatasets = ["pydoc"]\n'
GRID = "[grid]\nschedule.rate = [0.2, 0.5]\nschedule.scope = ['layerwise', 'global']\n"


def read(tmp_path: Path, text: str | bytes, name: str = "my.toml") -> sweeps.Sweep:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return sweeps.read(path)


def refused(tmp_path: Path, text: str | bytes) -> str:
    with pytest.raises(BadInput) as caught:
        read(tmp_path, text)
    said = str(caught.value)
    assert said.startswith(f"sweep {tmp_path / 'my.toml'}: ")
    assert "\n" not in said
    assert said.endswith((".", "?"))
    return said


def test_a_grid_is_every_combination_and_its_last_axis_changes_fastest(tmp_path):
    sweep = read(tmp_path, 'models = ["cnn", "lstm"]\ndatasets = ["pydoc", "imdb"]\n' + GRID)
    chosen = [tuple(cell.chosen.values()) for cell in sweep.cells]
    assert len(set(chosen)) == len(chosen) == 16
    assert chosen[:3] == [
        ("cnn", "pydoc", "imp", 0.2, "layerwise"),
        ("cnn", "pydoc", "imp", 0.2, "global"),
        ("cnn", "pydoc", "imp", 0.5, "layerwise"),
    ]
    assert chosen[8][:2] == ("lstm", "pydoc")
    assert list(sweep.axes) == ["model", "dataset", "schedule.rate", "schedule.scope"]


def test_each_run_is_what_lth_run_would_compose_of_the_same_names_and_settings(tmp_path):
    text = HEAD + 'schedules = ["imp-global"]\narms = ["ticket", "reinit"]\nseeds = [4, 7, 9]\n'
    text += "[settings]\nmodel.widths = [2, 7]\nmodel.reinit_vectors = true\ndata.train_size = 'none'\n"
    sweep = read(tmp_path, text + "[grid]\ntraining.epochs = [2, 3]\n")
    given = {"model.widths": "2,7", "model.reinit_vectors": "true", "data.train_size": "none"}
    for cell, epochs in zip(sweep.cells, ("2", "3"), strict=True):
        settings = given | {"training.epochs": epochs}
        assert cell.spec == specs.compose("cnn", "pydoc", "imp-global", ["ticket", "reinit"], [4, 7, 9], settings)


def test_what_a_file_leaves_out_is_as_in_lth_run(tmp_path):
    sweep = read(tmp_path, HEAD, "rewind.toml")
    assert sweep.name == "rewind"
    assert [cell.spec for cell in sweep.cells] == [specs.compose("cnn", "pydoc")]
    assert sweep.axes == {}
    assert read(tmp_path, f'name = "mine"\n{HEAD}').name == "mine"


def test_a_path_is_the_same_quoted_dotted_or_as_a_table(tmp_path):
    forms = ['"schedule.rate" = [0.3]', "schedule.rate = [0.3]", "schedule = { rate = [0.3] }"]
    found = [read(tmp_path, f"{HEAD}[grid]\n{form}\n").cells[0].spec for form in forms]
    found.append(read(tmp_path, f"{HEAD}[grid.schedule]\nrate = [0.3]\n").cells[0].spec)
    assert {spec.schedule.rate for spec in found} == {0.3}


def test_the_examples_of_help_and_readme_are_sweeps(tmp_path):
    assert len(read(tmp_path, EXAMPLE).cells) == 16
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    assert len(read(tmp_path, readme.partition("```toml\n")[2].partition("```")[0]).cells) == 8


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("models = [", ["TOML"]),
        (b"models = ['\xff']", ["UTF-8"]),
        ("a = " + "[" * 5000, ["nested"]),
        ("x." * 5000 + "x = 1\n" + HEAD, ["key"]),
        (f"{HEAD}[settings]\n{'x.' * 5000}x = 1\n", ["nested"]),
        ("#" * 2**20 + "#", ["1 MiB"]),
        ('datasets = ["pydoc"]', ["models", "missing", '["cnn"]']),
        ('models = ["cnn"]', ["datasets", "missing"]),
        (f"{HEAD}model = 'cnn'", ["'model'", "models"]),
        (f"training.epochs = 3\n{HEAD}", ["'training'", "settings"]),
        ('models = "cnn"\ndatasets = ["pydoc"]', ["models", "'cnn' given", "['cnn']"]),
        ('models = []\ndatasets = ["pydoc"]', ["models", "[] given"]),
        ('models = [1]\ndatasets = ["pydoc"]', ["models", "1 given", "quotes"]),
        ('models = ["cnn", "cnn"]\ndatasets = ["pydoc"]', ["models", "'cnn' is listed twice"]),
        ('models = ["cmn"]\ndatasets = ["pydoc"]', ["models", "'cmn'", "cnn"]),
        ('models = ["cnn"]\ndatasets = ["pydocs"]', ["dataset", "'pydocs'", "pydoc"]),
        (f'{HEAD}schedules = ["imq"]', ["schedule", "'imq'", "imp"]),
        (f"{HEAD}schedules = []", ["schedules", "[] given"]),
        (f'{HEAD}arms = ["tickt"]', ["arm", "'tickt'", "ticket"]),
        (f"{HEAD}arms = []", ["arms", "[] given"]),
        (f"{HEAD}seeds = '3'", ["seeds", "'3' given", "number"]),
        (f"{HEAD}seeds = true", ["seeds", "True given", "number"]),
        (f"{HEAD}seeds = 0", ["seeds", "0 given"]),
        (f"{HEAD}seeds = []", ["seeds", "[] given"]),
        (f"{HEAD}seeds = [1, 1]", ["seeds", "twice"]),
        (f"{HEAD}seeds = 0x{'f' * 5000}", ["seeds", "thousands of digits"]),
        (f"{HEAD}name = ''", ["name", "'' given"]),
        (f"{HEAD}name = 3", ["name", "3 given"]),
        (f"{HEAD}settings = 3", ["settings", "3 given", "[settings]"]),
        (f"{HEAD}[settings]\ntraining.epoch = 3", ["settings", "'training.epoch'", "training.epochs"]),
        (f"{HEAD}[settings]\ntraining.epochs = 0", ["training.epochs", "0 given", "at least 1"]),
        (f"{HEAD}[settings]\ntraining.epochs = true", ["training.epochs", "'true' given", "whole number"]),
        (f"{HEAD}[settings]\ntraining.epochs = [3]", ["training.epochs", "[3] given"]),
        (f"{HEAD}[settings]\ntraining.epochs = 2020-01-01", ["settings.training.epochs", "2020", "number"]),
        (f"{HEAD}[settings]\ndata.min_count = {10**30}", ["settings.data.min_count", "1000", "64 bits"]),
        (f"{HEAD}[settings]\ntraining.epochs = 3\n'training.epochs' = 4", ["settings.training.epochs", "twice"]),
        (f"{HEAD}[settings]\nmodel.hidden = 3", ["settings.model.hidden", "cnn has no such", "lstm"]),
        (f"{HEAD}[grid]\nschedule.rate = 0.5", ["grid.schedule.rate", "0.5 given", "[0.5]"]),
        (f"{HEAD}[grid]\nschedule.rate = []", ["grid.schedule.rate", "[] given"]),
        (f"{HEAD}[grid]\nschedule.rate = [0.5, 0.5]", ["grid.schedule.rate", "0.5 is listed twice"]),
        (f"{HEAD}[grid]\nschedule.rate = [0.5, 1.5]", ["schedule.rate", "1.5 given", "below 1"]),
        (f"{HEAD}[grid]\nschedule.rate = [0.5, nan]", ["schedule.rate", "nan given"]),
        (f"{HEAD}[grid]\nschedule.rates = [0.5]", ["grid", "'schedule.rates'", "schedule.rate"]),
        (f"{HEAD}[grid]\nschedule.rate = [[0.5]]", ["schedule.rate", "[0.5] given"]),
        (f"{HEAD}[grid]\nthreads = [1, '1']", ["grid.threads", "1 and '1'", "same run"]),
        (f"{HEAD}[settings]\nthreads = 1\n[grid]\nthreads = [1]", ["grid.threads", "[settings]"]),
        ('models = ["cnn", "lstm"]\ndatasets = ["pydoc"]\n[grid]\nmodel.filters = [3]', ["model.filters", "lstm"]),
        (f"{HEAD}[grid]\ntraining.epochs = {list(range(1, 1002))}", ["grid", "1,001 runs", "1,000"]),
    ],
    ids=lambda value: str(value)[-40:] if isinstance(value, str) else "",
)  # fmt: skip
def test_what_is_wrong_is_one_sentence_that_names_file_key_and_remedy(tmp_path, text, said):
    found = refused(tmp_path, text)
    assert all(part in found for part in said), found


def test_what_is_no_file_is_said(tmp_path):
    for path, said in (
        (tmp_path / "none.toml", "does not exist"),
        (tmp_path, "no file"),
        (Path("/dev/zero"), "no file"),
    ):
        with pytest.raises(BadInput, match=said):
            sweeps.read(path)


values = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["cnn", "pydoc", "imp", 0.5, 3]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=5,
)
keys = st.sampled_from(["name", "models", "datasets", "schedules", "arms", "seeds", "settings", "grid"]) | st.text()
paths = st.sampled_from(["schedule.rate", "training.epochs", "model.widths", "device", "threads"])
tables_ = st.dictionaries(paths, values, max_size=3)
trees = st.fixed_dictionaries(
    {"models": st.just(["cnn"]) | values, "datasets": st.just(["pydoc"]) | values},
    optional={"settings": tables_ | values, "grid": tables_ | values, "name": values, "seeds": values, "arms": values},
)


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(key)} = {toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else "nan" if math.isnan(value) else f"{value:+}"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


@given(trees | st.dictionaries(keys, values))
def test_any_file_is_a_sweep_or_refused_in_one_sentence(tmp_path_factory, tree):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text("".join(f"{toml(key)} = {toml(value)}\n" for key, value in tree.items()), errors="replace")
    said = None
    try:
        assert sweeps.read(path).cells
    except BadInput as error:
        said = str(error)
    assert said is None or (said.startswith(f"sweep {path}: ") and "\n" not in said)


def made(runs: Path, spec: specs.RunSpec, state: str = "finished", **verdict: Any) -> Path:
    """A run as an engine leaves it: one dense network a seed, a pruned round, and, where it is finished, a verdict."""
    run = rundir.create(runs, specs.dump(spec), spec.model.name, spec.data.name, spec.schedule.name)
    log = EventLog(run)
    for seed in spec.seeds:
        for number, arm, sparsity in ((0, "dense", 0.0), (1, "ticket", 0.5)):
            where = {"seed": seed, "round": number, "arm": arm, "sparsity": sparsity}
            log.append("trained", **where, test_accuracy=0.8 + seed / 100)
    if state == "finished":
        log.append("run_finished", verdict={"seeds": len(spec.seeds), "region": [0.5, 0.95], **verdict})
    log.close()
    rundir.write_status(run, {"state": state})
    return run


def verdict(won: bool | None, matching: float | None, gap: float | None) -> dict[str, Any]:
    against = {} if gap is None else {"reinit": {"gap": gap, "ci95": [gap - 0.01, gap + 0.01], "p": 0.01}}
    return {"winning_ticket": won, "matching_sparsity": matching, "against": against}


def test_tickets_come_first_then_open_ones_each_by_matching_sparsity_then_by_gap(tmp_path):
    sweep = read(tmp_path, f"{HEAD}[grid]\ntraining.epochs = [1, 2, 3, 4, 5, 6, 7, 8]\n")
    verdicts = [
        verdict(False, 0.9, 0.05),
        verdict(None, 0.5, 0.01),
        verdict(True, 0.5, 0.09),
        verdict(True, 0.8, 0.01),
        verdict(True, 0.8, 0.03),
        verdict(None, None, None),
    ]
    for cell, given_ in zip(sweep.cells, verdicts, strict=False):
        made(tmp_path / "runs", cell.spec, **given_)
    made(tmp_path / "runs", sweep.cells[6].spec, "failed")
    rows = ranking.ranked(tmp_path / "runs", sweep)["runs"]
    found = [(row["rank"], row["settings"]["training.epochs"], row["state"]) for row in rows]
    assert found == [
        *((rank, epochs, "finished") for rank, epochs in enumerate((5, 4, 3, 2, 6, 1), 1)),
        (None, 7, "failed"),
        (None, 8, "not begun"),
    ]
    assert rows[0]["dense_accuracy"] == pytest.approx([0.8, 0.81, 0.82])
    assert (rows[0]["gap"], rows[0]["ci95"]) == (0.03, pytest.approx([0.02, 0.04]))
    assert rows[4]["matching_sparsity"] == 0.0, "three seeds looked for a matching round and found none"


def test_too_few_seeds_to_tell_are_no_matching_sparsity_of_zero(tmp_path):
    sweep = read(tmp_path, f"{HEAD}seeds = 2\n")
    made(tmp_path / "runs", sweep.cells[0].spec, **verdict(None, None, None))
    assert ranking.ranked(tmp_path / "runs", sweep)["runs"][0]["matching_sparsity"] is None


def test_what_a_setting_did_is_the_mean_over_the_finished_runs_that_have_it(tmp_path):
    sweep = read(tmp_path, HEAD + GRID)
    found = {
        (0.2, "layerwise"): verdict(True, 0.8, 0.02),
        (0.2, "global"): verdict(None, None, 0.01),
        (0.5, "layerwise"): verdict(True, 0.5, 0.03),
    }
    for cell in sweep.cells:
        if given_ := found.get((cell.chosen["schedule.rate"], cell.chosen["schedule.scope"])):
            made(tmp_path / "runs", cell.spec, **given_)
    rate, scope = ranking.ranked(tmp_path / "runs", sweep)["settings"]
    assert (rate["setting"], scope["setting"]) == ("schedule.rate", "schedule.scope")
    assert rate["values"] == [
        {"value": 0.2, "runs": 2, "finished": 2, "winning_tickets": 1, "matching_sparsity": 0.4, "gap": 0.015},
        {"value": 0.5, "runs": 2, "finished": 1, "winning_tickets": 1, "matching_sparsity": 0.5, "gap": 0.03},
    ]
    assert [one["finished"] for one in scope["values"]] == [2, 1]
    assert scope["values"][0]["gap"] == pytest.approx(0.025)


def test_a_run_of_exactly_the_same_spec_is_found_whoever_made_it_the_finished_one_first(tmp_path):
    sweep = read(tmp_path, HEAD + GRID)
    runs = tmp_path / "runs"
    spec = sweep.cells[0].spec
    assert ranking.existing(runs, sweep.cells) == [None] * 4
    finished = made(runs, spec)
    made(runs, spec, "stopped")
    made(runs, specs.compose("cnn", "pydoc", settings={"schedule.rate": 0.2, "verdict.margin": 0.02}))
    made(runs, specs.compose("cnn", "pydoc", seeds=4, settings={"schedule.rate": 0.2}))
    stopped = made(runs, sweep.cells[3].spec, "stopped")
    (made(runs, sweep.cells[1].spec) / "spec.json").write_bytes(b"{")
    assert ranking.existing(runs, sweep.cells) == [finished, None, None, stopped]


def test_a_run_that_an_older_version_wrote_without_a_newer_setting_is_found(tmp_path):
    sweep = read(tmp_path, HEAD)
    run = made(tmp_path / "runs", sweep.cells[0].spec)
    tree = orjson.loads((run / "spec.json").read_bytes())
    del tree["training"]["warmup"]
    (run / "spec.json").write_bytes(orjson.dumps(tree))
    assert ranking.existing(tmp_path / "runs", sweep.cells) == [run]


def test_the_region_of_the_gaps_is_that_of_the_verdict():
    assert ranking.REGION == stats.REGION


@pytest.fixture(scope="module")
def one_run(tmp_path_factory) -> tuple[sweeps.Sweep, Path]:
    folder = tmp_path_factory.mktemp("one")
    sweep = read(folder, HEAD)
    return sweep, made(folder / "runs", sweep.cells[0].spec)


@given(
    odd,
    st.fixed_dictionaries(dict.fromkeys(("seeds", "matching_sparsity", "winning_ticket", "region"), odd)),
    odd | st.fixed_dictionaries({"reinit": odd | st.fixed_dictionaries({"gap": odd, "ci95": odd | st.lists(odd)})}),
)
def test_a_verdict_of_any_values_is_ranked_and_shown(one_run, sentence, verdict_, against):
    sweep, run = one_run
    shown = ranking.summary.show(run) | {"verdict": {**verdict_, "sentence": sentence, "against": against}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking.summary, "show", lambda _: shown)
        ranked = ranking.ranked(run.parent, sweep)
    orjson.dumps(ranked)
    assert "\x1b" not in printed(words.shown(ranked))


def test_hostile_strings_of_a_file_reach_no_terminal(tmp_path):
    code = "\\u001b]0;x\\u0007\\u202e"
    text = f'name = "{code}"\n{HEAD}[grid]\nmodel.vectors = ["{code}", "{code}b\\nc"]\n'
    sweep = read(tmp_path, text)
    rows = [{"settings": cell.chosen, "trainings": 1, "state": "queued"} for cell in sweep.cells]
    shown = printed(words.planned(rows, sweep.axes))
    shown += printed(words.shown(ranking.ranked(tmp_path / "runs", sweep)))
    shown += words.chosen(sweep.cells[1].chosen, sweep.axes)
    assert not set(shown) & {"\x1b", "\x07", "\u202e"}


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_table_is_no_wider_than_the_terminal_and_cuts_nothing_off(tmp_path, width):
    head = 'models = ["cnn", "lstm-2020"]\ndatasets = ["pydoc", "yelp_polarity"]\n'
    sweep = read(tmp_path, head + GRID)
    for cell in sweep.cells[::2]:
        made(tmp_path / "runs", cell.spec, **verdict(True, 0.866, -0.111))
    console = Console(width=width)
    with console.capture() as captured:
        console.print(words.shown(ranking.ranked(tmp_path / "runs", sweep)))
    for line in captured.get().splitlines():
        assert len(line) <= width
        assert "…" not in line


def test_what_the_table_says_of_a_run(tmp_path):
    sweep = read(tmp_path, HEAD + GRID)
    runs = [made(tmp_path / "runs", cell.spec, **verdict(True, 0.866, 0.0123)) for cell in sweep.cells[:1]]
    made(tmp_path / "runs", sweep.cells[1].spec, **verdict(None, None, None))
    made(tmp_path / "runs", sweep.cells[2].spec, **verdict(False, 0.2, -0.01), region=[0.2, 0.36])
    lines = printed(words.shown(ranking.ranked(tmp_path / "runs", sweep))).splitlines()
    assert " ".join(lines[0].split()) == "# rate scope dense % match % over reinit ticket run"
    assert " ".join(lines[2].split()) == f"1 0.2 layerwise 81.0 ± 1.0 86.6 +1.2 [+0.2, +2.2] yes {runs[0].name[-4:]}"
    assert " ".join(lines[3].split()).startswith("2 0.2 global 81.0 ± 1.0 none – open")
    assert " ".join(lines[4].split()).startswith("3 0.5 layerwise 81.0 ± 1.0 20.0 -1.0* [-2.0, +0.0] no")
    assert " ".join(lines[5].split()) == "0.5 global – – – not begun"
    text = " ".join(" ".join(lines).split())
    assert "*: over all sparsities" in text
    assert "rate 0.2 1 of 2 43.3 +1.2 0.5 0 of 1 20.0 -1.0" in text


def test_axes_are_named_by_the_ends_of_their_paths_unless_two_end_alike():
    assert words.short(["model", "schedule.rate"]) == {"model": "model", "schedule.rate": "rate"}
    alike = ["schedule.rate", "training.rate"]
    assert words.short(alike) == dict(zip(alike, alike, strict=True))


def test_two_processes_never_work_on_one_sweep(tmp_path):
    runs, file = tmp_path / "runs", tmp_path / "my.toml"
    assert at_work.worker(runs, file) is None
    with pytest.raises(BadInput, match="nothing works on"):
        at_work.ask_to_stop(runs, file)
    code = (
        "import sys, time; from pathlib import Path; from engine.process import sweeps\n"
        "sweeps.hold(Path(sys.argv[1]), Path(sys.argv[2])); print('held', flush=True); time.sleep(600)"
    )
    child: subprocess.Popen[str] = python(code, runs, file)
    assert child.stdout is not None
    try:
        assert child.stdout.readline() == "held\n"
        assert at_work.worker(runs, file) == child.pid
        with pytest.raises(BadInput, match=rf"process {child.pid}.*--stop"):
            at_work.hold(runs, tmp_path / "." / "my.toml")
        at_work.ask_to_stop(runs, file)
        assert child.wait(timeout=20) == -15
        at_work.hold(runs, tmp_path / "other.toml")
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    assert finding.run_dirs(runs) == []
    assert runs.stat().st_mode & 0o777 == 0o700
