"""Shared dense rounds: a later run gets exactly what an earlier one kept, or nothing and a warning."""

import errno
import os
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine import places
from engine.record import checkpoint, room, rundir, sealed, shared
from tests.record.dense_rounds import (
    DENSE,
    KEY,
    PARTS,
    RUN,
    THEN,
    TOLD,
    bits,
    doubted,
    found,
    keep,
    parts_of,
    root,
    weights,
)

OTHER = shared.key(parts_of(4))


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def test_what_was_kept_comes_back_bit_by_bit() -> None:
    before = time.time()
    keep()
    entry = found()
    assert (entry.parts, entry.told, entry.run, entry.passed) == (PARTS, TOLD, RUN, {5})
    assert before <= entry.made <= time.time()
    assert bits(shared.load(entry)) == bits(DENSE)
    assert bits(shared.load(entry, 5)) == bits(THEN)
    assert shared.load(entry, 6) is None


def test_loaded_weights_are_ones_own() -> None:
    keep()
    first = shared.load(found())
    assert first is not None
    first["head.bias"].fill_(7.0)
    assert bits(shared.load(found())) == bits(DENSE)


def test_a_dense_round_nobody_kept_is_not_found() -> None:
    assert shared.find(KEY) is None
    keep()
    assert shared.find(OTHER) is None


def test_a_key_hangs_on_every_part_and_not_on_their_order() -> None:
    assert len(KEY) == 32 and set(KEY) <= set("0123456789abcdef")
    assert shared.key(dict(reversed(PARTS.items()))) == KEY
    others: list[dict[str, Any]] = [
        PARTS | {"seed": 4}, PARTS | {"seed": "3"}, PARTS | {"threads": None}, {"seed": 3},
        PARTS | {"model": {"name": "cnn", "filters": 5, "dropout": 0.2}}, PARTS | {"data": {"name": "ag_news"}},
    ]  # fmt: skip
    assert len({KEY, *map(shared.key, others)}) == 1 + len(others)


def test_an_entry_is_private_under_any_umask(umask: None) -> None:
    keep()
    shared.add_passed(KEY, 9, THEN)
    for path in [root(), *root().rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_later_run_adds_the_weights_it_passed_elsewhere() -> None:
    keep()
    assert shared.add_passed(KEY, 500, weights(7)) is None
    assert shared.add_passed(KEY, 5, weights(8)) is None, "step 5 is there already"
    assert found().passed == {5, 500}
    assert bits(shared.load(found(), 500)) == bits(weights(7))
    assert bits(shared.load(found(), 5)) == bits(THEN)


def test_to_an_entry_that_is_gone_nothing_is_added() -> None:
    shutil.rmtree(keep())
    assert shared.add_passed(KEY, 500, THEN) is None
    assert shared.find(KEY) is None


def test_who_comes_second_keeps_the_first_and_adds_what_it_lacks() -> None:
    keep()
    assert shared.save(KEY, PARTS, {"other": 1}, weights(9), {5: weights(9), 7: weights(7)}, "another-run") is None
    assert (found().told, found().run, found().passed) == (TOLD, RUN, {5, 7})
    assert doubted() is None
    assert bits(shared.load(found(), 7)) == bits(weights(7))
    assert os.listdir(root()) == [KEY]


@pytest.mark.parametrize("off", ["off", "OFF", " Off "])
def test_off_finds_and_keeps_nothing(monkeypatch: pytest.MonkeyPatch, off: str) -> None:
    folder = keep()
    monkeypatch.setenv("LTH_CACHE", off)
    assert places.cache_root() is None
    assert shared.find(KEY) is None
    assert shared.save(OTHER, parts_of(4), TOLD, DENSE, {}, RUN) is None
    assert shared.add_passed(KEY, 9, THEN) is None
    assert (shared.entries(), room.clear()) == ([], (0, 0))
    assert os.listdir(folder.parent) == [KEY] and len(os.listdir(folder)) == 3


def test_the_cache_is_where_one_says_or_in_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LTH_CACHE", "here")
    assert places.cache_root() == tmp_path / "here"
    monkeypatch.delenv("LTH_CACHE")
    assert places.cache_root() == tmp_path / "cache" / "lth" / "dense"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert places.cache_root() == Path.home() / ".cache" / "lth" / "dense"


def test_weights_packed_as_bytes_are_those_that_a_run_keeps(tmp_path: Path) -> None:
    (tmp_path / "tickets").mkdir()
    checkpoint.save_rewind(tmp_path, 0, DENSE)
    content = (tmp_path / "tickets" / "seed-0.safetensors").read_bytes()
    assert bits(checkpoint.from_bytes(checkpoint.to_bytes(DENSE))) == bits(DENSE)
    assert bits(checkpoint.from_bytes(content)) == bits(checkpoint.load_rewind(tmp_path, 0)) == bits(DENSE)


# What is not as it was written.

FILES = ("entry", "dense", "at-5")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """KEY's entry, and OTHER's with other weights, of which tests damage copies."""
    folder = tmp_path_factory.mktemp("kept")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LTH_CACHE", str(folder))
        keep()
        keep(parts_of(4), weights(11), weights(12))
    return folder


def copied(kept: Path) -> dict[str, Path]:
    """Make the cache a new copy of those; the files of KEY's entry, by what they begin with."""
    shutil.rmtree(root(), ignore_errors=True)
    shutil.copytree(kept, root())
    return {path.name.partition(".")[0]: path for path in (root() / KEY).iterdir()}


share = st.floats(0, 1, exclude_max=True)
damages = st.one_of(
    st.tuples(st.just("flip"), share, st.integers(1, 255)),
    st.tuples(st.just("cut"), share, st.just(0)),
    st.tuples(st.just("longer"), st.just(0.0), st.integers(0, 255)),
)


@given(st.sampled_from(FILES), damages)
@example("entry", ("cut", 0.0, 0))
@example("dense", ("cut", 0.0, 0))
@example("dense", ("longer", 0.0, 0))
@example("at-5", ("longer", 0.0, 0))
def test_a_damaged_file_is_never_believed(kept: Path, which: str, damage: tuple[str, float, int]) -> None:
    path = copied(kept)[which]
    how, where, by = damage
    whole = path.read_bytes()
    place = int(where * len(whole))
    flipped = whole[:place] + bytes([whole[place] ^ by]) + whole[place + 1 :]
    path.write_bytes({"flip": flipped, "cut": whole[:place], "longer": whole + bytes([by])}[how])
    said = doubted()
    if (which, how) == ("entry", "longer") and by in b" \t\r\n":
        assert said is None, "white space after JSON changes nothing"
        return
    if (which, how) == ("entry", "flip") and said is None:
        assert orjson.loads(flipped) == orjson.loads(whole), "a last digit that no number hangs on"
        return
    assert said is not None and said.endswith("and was removed; it is trained again.")
    assert shared.find(KEY) is None, "it is as if it had never been"
    assert os.listdir(root()) == [OTHER], "another entry is left alone"


@pytest.mark.parametrize("which", FILES)
@pytest.mark.parametrize("instead", ["gone", "folder", "fifo", "link to itself", "of another entry"])
def test_a_file_that_is_something_else_is_never_believed(kept: Path, which: str, instead: str) -> None:
    path = copied(kept)[which]
    path.unlink()
    if instead == "folder":
        path.mkdir()
    elif instead == "fifo":
        os.mkfifo(path)  # opening it would wait for a writer
    elif instead == "link to itself":
        path.symlink_to(path.name)
    elif instead == "of another entry":
        (source,) = (root() / OTHER).glob(f"{which}.*")
        shutil.copy(source, path)
    if (which, instead) == ("at-5", "gone"):  # then nobody has passed there
        assert doubted() is None
        assert shared.load(found(), 5) is None
    else:
        assert (doubted() or "").endswith("and was removed; it is trained again.")
        assert shared.find(KEY) is None


@pytest.mark.parametrize(("key", "step"), [(KEY, 5), (OTHER, 5)])
def test_weights_of_another_step_or_entry_are_not_believed_under_a_name_that_fits(
    kept: Path, key: str, step: int
) -> None:
    copied(kept)
    (source,) = (root() / key).glob(f"at-{step}.*")
    shutil.copy(source, root() / KEY / source.name.replace(f"at-{step}.", "at-9."))
    with pytest.raises(shared.Damaged, match=r"at-9\..* is not what was written"):
        shared.load(found(), 9)


def test_an_entry_under_another_key_is_not_that_dense_round(kept: Path) -> None:
    copied(kept)
    third = shared.key(parts_of(77))
    shutil.copytree(root() / KEY, root() / third)
    with pytest.raises(shared.Damaged, match="is not what was written"):
        shared.find(third)
    tree = orjson.loads((root() / KEY / "entry.json").read_bytes())
    (root() / third).mkdir()
    forge(root() / third, tree["account"])
    with pytest.raises(shared.Damaged, match="is of another dense round"):
        shared.find(third)
    assert doubted() is None


def forge(folder: Path, account: Any) -> None:
    """What only somebody who knows how it is sealed could write."""
    seal = sealed.seal(folder.name, "entry.json", orjson.dumps(account))
    (folder / "entry.json").write_bytes(orjson.dumps({"seal": seal, "account": account}))


FORGED = {"parts": PARTS, "told": TOLD, "run": RUN, "made": 1e9, "dense": {"size": 1, "seal": ""}}
accounts = st.fixed_dictionaries(
    {},
    optional={
        "parts": st.just(PARTS) | st.none() | st.just({"seed": 3}),
        "told": st.just(TOLD) | st.none() | st.lists(st.integers(0, 9)),
        "dense": st.none() | st.fixed_dictionaries({}, optional={"size": st.integers(0, 999), "seal": st.text()}),
        "run": st.text() | st.integers(0, 9),
        "made": st.floats(allow_nan=False, allow_infinity=False) | st.none(),
    },
)


@settings(max_examples=40)
@given(accounts)
@example(FORGED)
@example(FORGED | {"made": 1e300})
@example(FORGED | {"dense": {"size": 10**18, "seal": ""}})
def test_no_forged_account_gives_weights_or_breaks_a_reader(kept: Path, account: dict[str, Any]) -> None:
    forge(copied(kept)["entry"].parent, account)
    assert {row["key"] for row in shared.entries()} == {KEY, OTHER}
    with pytest.raises(shared.Damaged):
        shared.load(found())
    assert shared.find(KEY) is None


@settings(max_examples=40)
@given(st.binary(max_size=200))
@example(b"\x08" + bytes(7) + b"{}      ")
@example(b'{"account":' + b"[" * 600 + b"]" * 600 + b"}")
def test_nonsense_in_place_of_a_file_is_damaged(kept: Path, content: bytes) -> None:
    copied(kept)["entry"].write_bytes(content)
    with pytest.raises(shared.Damaged):
        shared.find(KEY)
    copied(kept)["at-5"].unlink()
    seal = sealed.seal(KEY, "at-5", content)
    (root() / KEY / f"at-5.{seal}.safetensors").write_bytes(content)
    try:
        assert shared.load(found(), 5) == {}, "a file of no tensors is one"
    except shared.Damaged:
        assert shared.find(KEY) is None


def test_what_cannot_be_read_this_time_is_not_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    keep()

    def refused(*_: Any, **__: Any) -> Any:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refused)
        with pytest.raises(shared.Damaged, match=r"Too many open files\); it is trained again"):
            shared.find(KEY)
    assert shared.find(KEY) is not None and doubted() is None


def test_an_entry_evicted_between_finding_and_loading_is_no_damage() -> None:
    keep()
    entry = found()
    assert room.clear()[0] == 1
    assert shared.load(entry) is None
    assert shared.load(entry, 5) is None


def test_an_entry_evicted_while_it_is_added_to_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    keep()
    write = rundir.write_atomically

    def late(path: Path, data: bytes) -> None:
        room.clear()
        write(path, data)

    monkeypatch.setattr(rundir, "write_atomically", late)
    assert shared.add_passed(KEY, 9, THEN) is None
    assert os.listdir(root()) == []


def test_an_entry_that_another_has_replaced_since_it_was_found_is_no_damage() -> None:
    keep()
    entry = found()
    room.clear()
    keep(trained=weights(9))
    assert shared.load(entry) is None
    assert bits(shared.load(found())) == bits(weights(9))


def test_a_place_that_was_taken_and_is_free_again_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOTEMPTY, "Directory not empty")

    monkeypatch.setattr(os, "rename", taken)
    assert shared.save(KEY, PARTS, TOLD, DENSE, {5: THEN}, RUN) is None
    assert os.listdir(root()) == []


# What people are shown.


def test_entries_are_listed_the_last_used_first_with_what_is_known() -> None:
    made = [keep(parts_of(seed)) for seed in range(3)]
    for age, folder in ((0, made[1]), (1, made[0]), (2, made[2])):
        os.utime(folder / "entry.json", (time.time() - age * 60,) * 2)
    rows = shared.entries()
    assert [row["seed"] for row in rows] == [1, 0, 2]
    first = rows[0]
    assert (first["model"], first["dataset"], first["run"], first["damaged"]) == ("cnn", "ag_news", RUN, False)
    assert first["bytes"] == sum(path.stat().st_size for path in made[1].iterdir())
    assert first["key"] == made[1].name and first["created"][:2] == first["used"][:2] == "20"


def test_a_damaged_account_is_listed_as_such_and_can_be_cleared() -> None:
    (keep() / "entry.json").write_bytes(b"{")
    (row,) = shared.entries()
    assert row["damaged"] and row["model"] is None and row["bytes"] > 0
    assert room.clear()[0] == 1
