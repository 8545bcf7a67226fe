"""What a run would come to, before it is launched: counted from what is known, and said to be unknown where it is."""

import threading
from pathlib import Path

import pytest

from engine import catalog
from engine import spec as specs
from engine.models import sizes
from engine.process import launch
from engine.record import rundir
from lth_tui.app import LthApp
from lth_tui.screens import launching
from lth_tui.screens import preview as previews
from lth_tui.screens.launch import LaunchScreen
from lth_tui.screens.preview import Preview
from tests.app.story import Story, drawn, sees, until


def story(runs: Path, spec: specs.RunSpec, vocabulary: object = 11_822, classes: int = 5) -> Story:
    told = Story(runs, "finished", spec=spec.model_dump(mode="json"), process=rundir.identity())
    told.log.append("data_ready", name="pydoc", classes=classes, train=9000, valid=1000, vocabulary=vocabulary)
    return told


def test_parameters_are_at_most_those_of_a_full_vocabulary_until_a_run_has_counted_it(runs: Path) -> None:
    spec = specs.compose("cnn", "pydoc")
    seen = previews.look(runs, spec)
    assert not seen.exact
    assert seen.parameters == sizes.cnn(spec.model.model_dump(), 50_002, 6)
    assert "at most 5,1" in text(previews.in_a_pane(seen))
    story(runs, specs.compose("cnn", "pydoc", settings={"data.min_count": "1"}), 99_999)
    assert previews.look(runs, spec).kinds == seen.kinds, "other data have another vocabulary"
    story(runs, specs.compose("lstm", "pydoc", settings={"data.max_tokens": "400"}))
    seen = previews.look(runs, spec)
    assert seen.exact
    assert seen.kinds == {"embedding": 11_821 * 100, "encoder": 120_000, "head": 1500, "bias": 305}
    assert seen.prunable == seen.parameters - 305
    assert "at most" not in text(previews.in_a_pane(seen))


def test_what_a_schedule_prunes_is_counted_as_prunable(runs: Path) -> None:
    everything = previews.look(runs, specs.compose("cnn", "pydoc", "study-2020"))
    assert everything.prunable == everything.parameters
    heads = previews.look(runs, specs.compose("cnn", "pydoc", settings={"schedule.prunable": "head"}))
    assert heads.prunable == heads.kinds["head"]
    static = previews.look(runs, specs.compose("cnn", "pydoc", settings={"model.embeddings": "static"}))
    assert static.prunable == everything.parameters - static.kinds["frozen"] - static.kinds["bias"]
    assert "frozen" in text(previews.in_a_pane(static))


def test_a_checkpoint_that_is_not_here_is_counted_where_its_name_tells_its_shape(runs: Path) -> None:
    named = previews.look(runs, specs.compose("bert", "imdb"))
    assert (named.kinds, named.exact) == (sizes.bert_kinds(sizes.BERTS["bert-base-uncased"], 2), False)
    other = previews.look(runs, specs.compose("bert", "imdb", settings={"model.checkpoint": "somebody/something"}))
    assert (other.kinds, other.disk) == (None, None)
    assert "once the checkpoint is here" in text(previews.in_a_pane(other))
    assert "once the checkpoint is here" in text(previews.in_lines(other))


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"model_type": "distilbert"},
        {"model_type": "bert", "hidden_size": "768"},
        {"model_type": "bert", "vocab_size": -1},
    ],
)
def test_a_config_that_tells_no_shape_gives_none(config: dict) -> None:
    assert sizes.shape(config) is None


def test_the_shape_of_a_bert_is_that_of_its_config() -> None:
    tiny = {"num_hidden_layers": 2, "hidden_size": 128, "num_attention_heads": 2, "intermediate_size": 512}
    tiny |= {"model_type": "bert", "max_position_embeddings": 512, "vocab_size": 8000}
    assert sizes.shape(tiny) == sizes.BERTS["bert-tiny"]
    assert sizes.shape(tiny | {"type_vocab_size": 3}) is None


def test_time_is_measured_or_said_to_be_unknown(runs: Path) -> None:
    spec = specs.compose("cnn", "pydoc")
    assert previews.takes(previews.look(runs, spec)) == "no estimate yet"
    story(runs, spec).log.append("epoch", seed=0, round=0, arm="dense", epoch=1, epochs=6, sparsity=0.0, seconds=10.0)
    assert previews.takes(previews.look(runs, spec)) == "at most 1h33 on this machine"


def test_the_disk_is_weights_and_masks_of_every_seed() -> None:
    arms = ["ticket", "reinit", "random", "reinit-own", "small-dense"]
    spec = specs.compose("cnn", "pydoc", arms=arms, seeds=5)
    standing = 2 * 4000 + 3 * 100  # the ticket and reinit-own stand at weights, and random has a mask of its own too
    assert previews.disk(spec, 1000, 800) == 5 * (4000 + 11 * 100 + 2 * standing)


def test_the_disk_is_what_a_real_run_took(news: Path, runs: Path) -> None:
    settings = {
        "training.epochs": 1,
        "schedule.rounds": 2,
        "model.embedding_dim": 40,
        "model.filters": 50,
        "threads": 1,
    }
    spec = specs.compose("cnn", "ag_news", arms=["ticket", "random"], seeds=2, settings=settings)
    run = launch.new_run(runs, spec)
    engine = launch.start(run)
    assert engine.wait(120) == 0
    files = [file for folder in ("checkpoints", "tickets") for file in (run / folder).rglob("*")]
    taken = sum(file.stat().st_size for file in files)
    seen = previews.look(runs, spec)
    assert seen.exact
    assert 0.85 * taken < seen.disk <= taken, "heads of files and the words are not counted"


def test_a_disk_that_is_too_small_is_said() -> None:
    seen = Preview({"encoder": 10}, ("encoder",), True, 3, disk=2_000_000, free=1_500_000)
    assert previews.room(seen) == ("2 MB of 1.5 MB free: too little", "bad")
    assert previews.room(Preview(None, (), False, 3)) == ("not known before the checkpoint is here", "dim")


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (4.89e9, "4.89 GB")]
)
def test_bytes_in_words(count: int, words: str) -> None:
    assert previews.size(int(count)) == words


def test_broken_runs_are_passed_over(runs: Path) -> None:
    spec = specs.compose("cnn", "pydoc")
    story(runs, spec, vocabulary="many")
    story(runs, spec, vocabulary=-3)
    (story(runs, spec).run / "spec.json").write_text("[" * 50)
    (story(runs, spec).run / "events.jsonl").write_bytes(b"\x00\xff\n")
    for part in ("model", "data"):
        Story(runs, "finished", spec={part: ["[/foo]"]})
    assert not previews.look(runs, spec).exact


@pytest.mark.parametrize("model", catalog.MODELS)
def test_every_model_is_told_in_both_ways(runs: Path, model: str) -> None:
    seen = previews.look(runs, specs.compose(model, "ag_news"))
    for told in (text(previews.in_lines(seen)), text(previews.in_a_pane(seen))):
        assert "embedding" in told
        assert "no estimate yet" in told
        assert " free" in told


async def test_the_preview_is_counted_off_the_loop_once_nothing_changes_for_a_moment(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[tuple[int, threading.Thread]] = []

    def watched(runs: Path, spec: specs.RunSpec) -> launching.Previewed:
        looks.append((spec.training.epochs, threading.current_thread()))
        return launching.Previewed(spec, previews.look(runs, spec))

    monkeypatch.setattr("lth_tui.screens.choosing.launching.preview", watched)
    monkeypatch.setattr(LaunchScreen, "PATIENCE", 1.0)
    async with LthApp("launch").run_test(size=(120, 40), notifications=True) as pilot:
        screen = pilot.app.screen
        await until(pilot, lambda: screen.preview)
        for epochs in ("7", "8", "9"):
            screen.form.fields["training.epochs"].input.value = epochs
            await until(pilot, lambda epochs=epochs: str(screen.checked.spec.training.epochs) == epochs)
            assert screen.preview is None, "what is shown is never of another choice"
        await until(pilot, lambda: screen.preview)
        assert looks[-1][0] == 9
        assert 7 not in [epochs for epochs, _ in looks]
        assert threading.main_thread() not in [thread for _, thread in looks]


async def test_what_was_measured_while_one_was_elsewhere_is_counted_and_the_old_stands_until_it_is(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, count = threading.Event(), launching.preview
    go.set()

    def slow(runs: Path, spec: specs.RunSpec) -> launching.Previewed:
        assert go.wait(60)
        return count(runs, spec)

    monkeypatch.setattr(launching, "preview", slow)
    async with LthApp("launch").run_test(size=(120, 40), notifications=True) as pilot:
        await sees(pilot, "93 trainings, no estimate yet")
        screen = pilot.app.screen
        await pilot.press("2")
        await until(pilot, lambda: pilot.app.screen is not screen)
        told = story(runs, specs.compose("cnn", "pydoc"))
        told.log.append("epoch", seed=0, round=0, arm="dense", epoch=1, epochs=6, sparsity=0.0, seconds=10.0)
        go.clear()
        await pilot.press("1")
        await until(pilot, lambda: pilot.app.screen is screen and not screen.stale)
        await sees(pilot, "93 trainings, no estimate yet")
        go.set()
        await sees(pilot, "93 trainings, at most 1h33 on this machine")


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_a_folder_of_runs_that_is_none_is_said_where_the_counts_would_stand(
    size: tuple[int, int], runs: Path
) -> None:
    runs.write_text("")
    async with LthApp("launch").run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: pilot.app.screen.checked)
        await sees(pilot, "runs folder:", "set LTH_RUNS", "93 trainings, no estimate yet")
        assert "counting" not in drawn(pilot)


async def test_a_checkpoint_that_is_not_here_is_said_before_the_launch(
    news: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with LthApp("launch").run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: pilot.app.screen.checked)
        screen = pilot.app.screen
        screen.table("dataset").move_to_key("ag_news")
        screen.table("model").move_to_key("bert-mini")
        await sees(pilot, "no bert-mini has been pretrained on these texts of ag_news", "lth pretrain -m bert-mini")
        assert screen.errors == {}, "it may be made before the run begins"
        monkeypatch.setattr(LaunchScreen, "PATIENCE", 60)
        screen.form.fields["training.epochs"].input.value = "7"
        await until(pilot, lambda: screen.checked.spec.training.epochs == 7)
        assert "no bert-mini has been pretrained" in drawn(pilot), "the lines below do not move while one types"
        screen.table("model").move_to_key("cnn")
        await until(pilot, lambda: "been pretrained on these" not in drawn(pilot))


async def test_all_of_it_stands_beside_the_fields_and_in_two_lines_where_it_is_narrow(runs: Path) -> None:
    story(runs, specs.compose("cnn", "pydoc"), classes=6)
    async with LthApp("launch").run_test(size=(120, 40), notifications=True) as pilot:
        await sees(pilot, "1,304,206, 1.3M prunable", "120,000", "kept", "no estimate yet", "53.3 MB of", "89.3 %")
        await pilot.resize_terminal(80, 24)
        await sees(pilot, "1.3M parameters, prunes embedding 1.18M encoder 120k head 1.8k, not bias 306")
        await sees(pilot, "no estimate yet; disk 53.3 MB of", "visits 20 36", "93 trainings, no estimate yet")


def text(pieces: list[tuple[str, str]]) -> str:
    return "".join(words for words, _ in pieces)
