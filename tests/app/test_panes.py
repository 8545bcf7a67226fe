"""The panes of a run's screen: what each says of a run, as functions over plain data."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from rich.cells import cell_len

from engine import spec as specs
from lth_tui import chart, keymap
from lth_tui.screens import headline
from lth_tui.screens.follow import Follower, Look, sizes
from lth_tui.screens.panes import happenings, layers, learning, log, rounds, settings
from lth_tui.widgets.page import wrapped
from tests.app.story import SPEC, Story
from tests.app.test_hostile import OBEYED
from tests.faults import hostile


def text(lines: Any) -> str:
    return "\n".join("".join(piece for piece, _ in line) for line in lines)


def key(name: str) -> str:
    """The usual key of a name of the registry."""
    return keymap.shown(keymap.usual()[name][0])


def look(story: Story) -> Look:
    found = Follower(story.run).look()
    assert found is not None
    return found


def row(found: Look, number: int, metric: str = "accuracy") -> str:
    cells = next(one.cells for one in rounds.rows(found, metric) if one.number == number)
    return text([cell if not isinstance(cell, str) else [(cell, "")] for cell in cells]).replace("\n", " | ")


def begin(story: Story, seed: int, number: int, kept: float = 0.8) -> None:
    shape = {"sparsity": 1 - kept, "total_sparsity": (1 - kept) * 0.9, "parameters": 1000, "nonzero": int(1000 * kept)}
    densities = {"embedding.weight": kept, "head.bias": 1.0}
    kinds = {"embedding": 1 - kept, "bias": 0.0}
    story.log.append("round_started", seed=seed, round=number, layers=densities, kinds=kinds, arms=["ticket"], **shape)


# Rounds


def test_the_dense_value_stands_under_the_first_arm_so_that_three_arms_fit_in_eighty_columns(runs: Path) -> None:
    from lth_tui.widgets.table import fit

    story = Story(runs)
    story.trained(0, 0, "dense", 0.8712)
    assert row(look(story), 0).startswith("dense | 0 % | 87.12 |  | ")
    for metric in rounds.METRICS:
        columns = rounds.columns(["ticket", "reinit", "shuffle"], metric)
        assert len(fit(columns, 78)) == len(columns) == 7


def test_a_difference_has_its_spread_over_the_pairs(runs: Path) -> None:
    story = Story(runs)
    for seed, ticket, reinit in ((0, 0.90, 0.88), (1, 0.92, 0.89)):
        story.trained(seed, 1, "ticket", ticket, test_loss=0.4)
        if seed == 0:
            assert "| +" not in row(look(story), 1), "no pair yet"
        story.trained(seed, 1, "reinit", reinit, test_loss=0.5)
        if seed == 0:
            assert "| +2.00 |" in row(look(story), 1)
    assert "91.00 ±1.41 | 88.50 ±0.71 | +2.50 ±0.71" in row(look(story), 1)
    assert "| −0.100 ±0.000" in row(look(story), 1, "cross-entropy")


# Learning curves


def epoch(story: Story, seed: int, number: int, arm: str, at: int, accuracy: float | None, loss: float = 1.0) -> None:
    where = {"seed": seed, "round": number, "arm": arm, "epoch": at, "epochs": 3, "sparsity": 0.2}
    story.log.append("epoch", valid_accuracy=accuracy, valid_loss=loss, **where)


def test_learning_curves_are_means_over_seeds_and_of_the_seed_in_training_while_it_is(runs: Path) -> None:
    story = Story(runs, "running", seed=1, round=1)
    for seed, accuracy in ((0, 0.6), (1, 0.8)):
        epoch(story, seed, 1, "ticket", 1, accuracy)
    epoch(story, 0, 1, "ticket", 2, 0.7)
    found = look(story)
    curves, axis = learning.drawing(found, 1, "accuracy")
    assert curves[0].points == ((1.0, 0.8),), "seed 1 alone"
    assert learning.title(found, 1, "accuracy").endswith("round 1, seed 1")
    story.say("finished")
    found = look(story)
    curves, _ = learning.drawing(found, 1, "accuracy")
    assert curves[0].points == ((1.0, pytest.approx(0.7)), (2.0, 0.7))
    assert learning.title(found, 1, "accuracy").endswith("round 1, 2 seeds")
    assert learning.drawing(found, 1, "cross-entropy")[0][0].points == ((1.0, 1.0), (2.0, 1.0))
    assert learning.drawing(found, 2, "accuracy")[0][0].points == ()
    assert learning.drawing(found, None, "accuracy")[0][0].points == ()
    assert chart.draw(curves, None, 60, 12, axis=axis)


def test_a_look_keeps_its_curves_while_the_follower_reads_on(runs: Path) -> None:
    story = Story(runs, "running", seed=0, round=1)
    follower = Follower(story.run)
    epoch(story, 0, 1, "ticket", 1, 0.5)
    before = follower.look()
    epoch(story, 0, 1, "ticket", 2, 0.6)
    after = follower.look()
    assert before is not None
    assert after is not None
    assert [len(one.learned[1][0, "ticket"]) for one in (before, after)] == [1, 2]
    assert follower.look() is None, "nothing new"


def test_numbers_that_are_none_draw_nothing(runs: Path) -> None:
    story = Story(runs)
    epoch(story, 0, 1, "ticket", 1, None, 1e308)
    epoch(story, 0, 1, "ticket", 2, None, 1e308)
    curves, axis = learning.drawing(look(story), 1, "cross-entropy")
    assert chart.draw(curves, None, 60, 12, axis=axis) == []


# Layers


def test_layers_show_kept_shares_sizes_and_kinds(runs: Path) -> None:
    story = Story(runs)
    begin(story, 0, 1)
    story.trained(0, 1, "ticket", 0.9)
    head = orjson.dumps({"embedding.weight": {"shape": [111, 9]}, "head.bias": {"shape": [10]}, "__metadata__": {}})
    (story.run / "tickets").mkdir(exist_ok=True)
    (story.run / "tickets" / "seed-0.safetensors").write_bytes(len(head).to_bytes(8, "little") + head)
    shown = text(layers.lines(look(story), 1, 78))
    assert "20.0 % pruned of what may be, 18.0 % of all; 800 of 1,000 left" in shown
    assert "embedding.weight         990  80.0 %  ━" in shown, "the padding row is no parameter"
    assert "100.0 %" in shown.partition("by kind")[2]
    assert max(map(cell_len, shown.splitlines())) <= 78


@pytest.mark.parametrize("content", [b"", b"\xff" * 8, b"\x02\0\0\0\0\0\0\0[]", b'\x09\0\0\0\0\0\0\0{"a":"b"}', b"\1"])
def test_a_broken_file_of_weights_has_no_sizes(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tickets").mkdir()
    (tmp_path / "tickets" / "seed-0.safetensors").write_bytes(content)
    assert sizes(tmp_path, 0) == {}


def test_a_round_that_told_no_layers_says_so(runs: Path) -> None:
    assert "tells what is left of its layers" in text(layers.lines(look(Story(runs)), 1, 78))
    assert "tells what is left of its layers" in text(layers.lines(look(Story(runs)), None, 10))


# Settings


def test_settings_stand_out_where_they_differ_and_end_in_the_line() -> None:
    spec = orjson.loads(specs.dump(specs.compose("cnn", "pydoc", settings={"training.epochs": 9, "device": "cpu"})))
    about = settings.told(spec)
    assert about.line == "lth run -m cnn -d pydoc --set training.epochs=9 --set device=cpu"
    lines = settings.lines(spec, about, 78, key)
    shown = text(lines)
    assert "$ lth run -m cnn -d pydoc --set training.epochs=9" in shown
    assert "epochs               9   usually 6" in shown
    assert shown.count("usually") == 2
    assert ("9", "strong") in [piece for line in lines for piece in line]


def test_settings_of_no_spec_are_words() -> None:
    for spec in ({}, {"model": 3, "training": {"x": [1, {}]}}, {"seeds": [3, 5]}):
        about = settings.told(spec)
        assert about.line == ""
        assert "No line makes this run" in text(settings.lines(spec, about, 40, key))


# Events and log


def test_events_are_lines_read_once_and_go_on_after_damage(runs: Path) -> None:
    story = Story(runs)
    tail = happenings.Tail(story.run)
    epoch(story, 0, 1, "ticket", 1, 0.5)
    lines, _ = tail.read()
    assert "epoch          seed 0 · round 1 · ticket · epoch 1/3 · validation 50.00 % · validation loss 1" in text(
        lines
    )
    assert tail.read() == ([], None)
    with (story.run / "events.jsonl").open("ab") as file:
        file.write(b"nonsense\n")
    story.trained(0, 1, "ticket", 0.91)
    story.log.append("of_a_newer_version", words="[/b] \x1b[2J")
    shown = text(tail.read()[0])
    assert "test 91.00 % · best epoch 2" in shown
    assert "1 event here could not be read" in shown
    assert "words [/b] ␛[2J" in shown
    (story.run / "events.jsonl").write_bytes(b"")
    tail.read()


def test_a_log_line_that_has_not_ended_is_shown_and_goes_on(runs: Path) -> None:
    story = Story(runs)
    tail = log.Tail(story.run)
    with (story.run / "engine.log").open("wb") as file:
        file.write(b"one\ntw")
        file.flush()
        assert [text(tail.read()[0]), text([tail.read()[1]])] == ["one", "tw"]
        file.write(b"o\n10 %\r20 %")
        file.flush()
        lines, still_open = tail.read()
        assert (text(lines), text([still_open])) == ("two", "20 %")
    tail.close()
    assert tail.read() == ([], None)


# Words on top


def test_one_warning_of_many_seeds_is_told_once_after_what_cannot_be_read(runs: Path) -> None:
    story = Story(runs, "failed", cause="x")
    for seed, low in enumerate((10.1, 13, 11)):
        words = f"the dense network (seed {seed}, {60 - low:.1f} %) is {low:.1f} points below TF-IDF (60.0 %): train it"
        story.log.append("warning", message=words)
    story.log.append("warning", message="resumed with torch 2.1, begun with 2.0")
    story.log.append("warning", message="resumed with torch 2.2, begun with 2.0")
    (story.run / "events.jsonl").open("ab").write(b"nonsense\n")
    shown = [line for line in text(headline.lines(look(story), 200, key)).splitlines() if "⚠" in line]
    assert shown == [
        "⚠ 1 event could not be read and were passed over",
        "⚠ the dense network (seeds 0, 1 and 2, 47.0 to 49.9 %) is 10.1 to 13.0 points below TF-IDF (60.0 %): train it",
        "⚠ resumed with torch 2.1, begun with 2.0",
        "⚠ resumed with torch 2.2, begun with 2.0",
    ]


def test_an_orphan_says_what_became_of_its_engine_and_what_goes_on(runs: Path) -> None:
    story = Story(runs, "running", process={"pid": 1})
    shown = text(headline.lines(look(story), 200, key))
    assert f"`lth resume {story.run.name[-4:]}` goes on from its last checkpoint, and so does r." in shown
    assert "Its engine" in shown or "This machine" in shown


def test_words_on_top_never_grow_wider_than_the_screen(runs: Path) -> None:
    story = Story(runs, "failed", spec={"model": {"name": "宽" * 200}}, cause="no " + "w" * 300)
    for width in (10, 38, 78, 118):
        lines = headline.lines(look(story), width, key)
        assert max(sum(cell_len(piece) for piece, _ in line) for line in lines) <= width


def test_wrapping_breaks_between_words_and_keeps_every_word() -> None:
    line = [("a winning ticket ", "good"), ("of 宽宽宽 words", "")]
    for width in (1, 5, 9, 80):
        made = wrapped(line, width)
        assert text(made).replace("\n", "").replace(" ", "") == "awinningticketof宽宽宽words"
        assert max(sum(cell_len(piece) for piece, _ in one) for one in made) <= max(width, 2)


# Whatever a file holds


@pytest.mark.parametrize("state", ["running", "finished", "failed", "orphaned", "queued"])
def test_every_pane_shows_hostile_text_harmlessly(runs: Path, state: str) -> None:
    for words in ["".join(hostile.ATOMS[start::9]) for start in range(9)]:
        run = hostile.run(runs, words, state)
        found = Follower(run).look()
        assert found is not None
        spec = found.view["spec"]
        shown = [
            text(headline.lines(found, 80, key)),
            text(settings.lines(spec, settings.told(spec), 80, key)),
            text(happenings.Tail(run).read()[0]),
            text(log.Tail(run).read()[0]),
            learning.title(found, 1, "accuracy"),
            *(text(layers.lines(found, number, 80)) for number in (None, 0, 1)),
            *(text([cell if not isinstance(cell, str) else [(cell, "")] for cell in one.cells])
              for one in rounds.rows(found)),
        ]  # fmt: skip
        assert not OBEYED.search("".join(shown))


def test_a_follower_of_nothing_and_of_nonsense_shows_words(tmp_path: Path, runs: Path) -> None:
    story = Story(runs, spec=SPEC)
    story.log.close()
    for name in ("status.json", "spec.json", "events.jsonl", "engine.log"):
        (story.run / name).write_bytes(b'\x00{"a": [')
    for run in (tmp_path / "gone", story.run):
        found = Follower(run).look()
        assert found is not None
        assert headline.lines(found, 80, key)
        assert layers.lines(found, 0, 80)
        rounds.rows(found)
        learning.drawing(found, 0, "accuracy")
