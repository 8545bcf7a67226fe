"""What a user says of a run: kept whole, beside what newer versions keep there, and never a name that does harm."""

import threading
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadInput
from engine.record import history, notes, rundir


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return rundir.create(tmp_path / "runs", b"{}", "cnn", "pydoc", "imp")


def test_a_change_leaves_the_rest_and_what_a_newer_version_keeps(run: Path) -> None:
    (run / "notes.json").write_bytes(b'{"stars": 5, "note": "good"}')
    notes.write(run, name="baseline", tags=("paper", "v2"))
    assert notes.read(run) == notes.Notes("baseline", ("paper", "v2"), "good", None)
    notes.write(run, name=None, note="", read=12.5)
    assert notes.read(run) == notes.Notes(None, ("paper", "v2"), "", 12.5)
    assert orjson.loads((run / "notes.json").read_bytes()) == {"stars": 5, "tags": ["paper", "v2"], "read": 12.5}


@pytest.mark.parametrize("name", ["../x", "-rf", "a b", "x" * 65, "é", "a\n", ".hidden", "[red]"])
def test_a_name_that_could_do_harm_is_refused_in_a_sentence_and_nothing_is_written(run: Path, name: str) -> None:
    for change in ({"name": name}, {"tags": [name]}):
        with pytest.raises(BadInput, match="given; give up to 64") as told:
            notes.write(run, note="x", **change)
        assert "\n" not in str(told.value)
    assert not (run / "notes.json").exists()


def test_a_mark_of_zero_is_kept(run: Path) -> None:
    notes.write(run, read=0.0)
    assert notes.read(run).read == 0.0


@given(st.binary(max_size=80) | st.builds(orjson.dumps, st.dictionaries(
    st.sampled_from(["name", "tags", "note", "read"]),
    st.none() | st.integers(-(2**60), 2**60) | st.text(max_size=5) | st.lists(st.integers(0, 3) | st.text(max_size=3)),
)))  # fmt: skip
def test_whatever_stands_in_the_file_is_read_as_notes(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("run")
    (folder / "notes.json").write_bytes(data)
    found = notes.read(folder)
    assert found.name is None or isinstance(found.name, str)
    assert all(isinstance(tag, str) for tag in found.tags)
    assert isinstance(found.note, str)


def test_two_who_write_at_once_lose_nothing(run: Path) -> None:
    one = threading.Thread(target=lambda: [notes.write(run, read=float(n)) for n in range(1, 21)])
    one.start()
    for number in range(20):
        notes.write(run, note=str(number))
    one.join()
    assert notes.read(run) == notes.Notes(None, (), "19", 20.0)


def test_the_history_hears_of_a_name(run: Path) -> None:
    history.refresh(run.parent)
    notes.write(run, name="baseline", tags=["paper"])
    (listed,), _ = history.refresh(run.parent)
    assert (listed["name"], listed["tags"]) == ("baseline", ["paper"])


def test_a_run_that_is_gone_is_told_in_a_sentence(run: Path) -> None:
    with pytest.raises(BadInput, match="cannot be written"):
        notes.write(run.with_name("gone"), note="x")


def test_a_damaged_tag_keeps_nobody_from_giving_another_and_can_be_taken_away(run: Path) -> None:
    damaged = ["a" * 200, "é ["]
    (run / "notes.json").write_bytes(orjson.dumps({"tags": damaged}))
    assert notes.write(run, tags=[*damaged, "study"]).tags == (*damaged, "study")
    assert notes.write(run, tags=["study", damaged[1]]).tags == ("study", damaged[1])
    with pytest.raises(BadInput, match="tag: 'a b' given"):
        notes.write(run, tags=["study", damaged[1], "a b"])
    assert notes.write(run, tags=["study"]).tags == ("study",)
