"""Datasets come in whole or not at all, and are checked once."""

import errno
import json
import shutil
from pathlib import Path

import pytest

from engine.data import published, store
from engine.errors import BadInput
from engine.spec import DataSpec


def _content(folder: Path) -> dict[str, bytes]:
    files = [file for file in folder.rglob("*") if file.is_file() and file.suffix != ".lock"]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def _datasets(home: Path) -> set[str]:
    """All that stands in the data folder, save locks and caches."""
    return {path.name for path in home.iterdir()} - {".encoded", ".ag_news.lock"}


def test_an_imported_dataset_is_where_runs_look_for_it(home, write, tmp_path):
    source = write(tmp_path / "source")
    summary = store.import_dataset("ag_news", source)
    assert summary.folder == str(home / "ag_news") and summary.name == "ag_news"
    assert summary.train == {"World": 5, "Sports": 5, "Business": 5, "Sci/Tech": 5}
    assert summary.test == {"World": 2, "Sports": 2, "Business": 2, "Sci/Tech": 2}
    assert store.validate(DataSpec(name="ag_news")) == summary
    kept = _content(home / "ag_news")
    assert kept.pop("about.json") and kept == _content(source)
    assert _datasets(home) == {"ag_news"}


def test_the_train_file_stands_for_its_folder(write, tmp_path):
    source = write(tmp_path / "source")
    by_file = store.import_dataset("ag_news", str(source / "train.csv"))
    assert by_file == store.import_dataset("ag_news", source)


def test_the_data_folder_is_made_where_there_is_none(home, write, tmp_path, monkeypatch):
    monkeypatch.setenv("LTH_DATA", str(home / "deep" / "er"))
    store.import_dataset("ag_news", write(tmp_path / "source"))
    assert (home / "deep" / "er" / "ag_news" / "train.csv").exists()


def test_a_dataset_can_be_imported_from_where_it_already_is(ag_news):
    before = _content(ag_news)
    store.import_dataset("ag_news", ag_news)
    after = _content(ag_news)
    assert after.pop("about.json") and after == before


def test_a_new_import_replaces_the_old_one_wholly(home, write, tmp_path):
    store.import_dataset("ag_news", write(tmp_path / "old"))
    (home / "ag_news" / "train.csv").rename(home / "ag_news" / "train.csv.gz")
    rows = [(c, "new", "words") for c in (1, 2, 3, 4) for _ in range(3)]
    assert sum(store.import_dataset("ag_news", write(tmp_path / "new", rows)).train.values()) == 12
    assert sorted(_content(home / "ag_news")) == ["about.json", "test.csv", "train.csv"]
    assert sum(store.validate(DataSpec(name="ag_news")).train.values()) == 12


@pytest.mark.parametrize(
    ("name", "given", "says"),
    [
        ("agnews", "source", "dataset: 'agnews' is not known; did you mean ag_news"),
        ("pydoc", "source", "dataset: pydoc is built in and needs no import"),
        ("ag_news", "nowhere", "nowhere does not exist; give the dataset's folder, archive or file"),
        ("ag_news", "source/notes.txt", "notes.txt is neither a folder, nor a .tgz"),
        (
            "ag_news",
            "empty",
            "empty holds no dataset in a form that is known; give a folder with train.csv and test.csv",
        ),
        ("ag_news", "half", "half holds a train.csv but no test.csv; bring both parts"),
        ("ag_news", "half/train.csv", "half holds a train.csv but no test.csv; bring both parts"),
        ("ag_news", "odd", "odd holds no dataset in a form that is known"),
        ("ag_news", "x" * 5000, "does not exist"),
        ("ag_news", "a\0b", "does not exist"),
    ],
)
def test_what_cannot_be_imported_is_refused_in_one_sentence(home, write, tmp_path, name, given, says):
    write(tmp_path / "source"), write(tmp_path / "half"), (tmp_path / "empty").mkdir()
    (tmp_path / "half" / "test.csv").unlink()
    (tmp_path / "source" / "notes.txt").write_text("no dataset")
    (tmp_path / "odd" / "train.csv").mkdir(parents=True)
    with pytest.raises(BadInput, match=says):
        store.import_dataset(name, tmp_path / given)
    assert _datasets(home) == set()


def test_a_bad_file_leaves_the_dataset_that_was_there(home, ag_news, write, tmp_path):
    before = _content(home)
    with pytest.raises(BadInput, match=r"test.csv, row 2: class '9' given"):
        store.import_dataset("ag_news", write(tmp_path / "bad", test=[(1, "a", "b"), (9, "a", "b")]))
    assert _content(home) == before


@pytest.mark.parametrize("raised", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("there", [True, False])
def test_an_import_that_breaks_off_leaves_all_as_it_was(home, write, tmp_path, monkeypatch, raised, there):
    source = write(tmp_path / "source")
    if there:
        write(home / "ag_news")
    before = _content(home)

    def copy(_from, to):
        Path(to).write_bytes(b"1,half a f")
        raise raised

    monkeypatch.setattr(shutil, "copyfile", copy)
    with pytest.raises((BadInput, KeyboardInterrupt)) as caught:
        store.import_dataset("ag_news", source)
    if isinstance(raised, OSError):
        assert "ag_news could not be copied to" in str(caught.value) and "No space left" in str(caught.value)
    assert _content(home) == before and _datasets(home) == ({"ag_news"} if there else set())


def test_a_rename_that_fails_brings_the_old_dataset_back(home, ag_news, write, tmp_path, monkeypatch):
    before = _content(ag_news)
    rename = Path.rename

    def refuse(self, target):
        if self.name == ".ag_news.new":
            raise OSError(errno.EACCES, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(BadInput, match="Permission denied"):
        store.import_dataset("ag_news", write(tmp_path / "source"))
    assert _content(ag_news) == before and _datasets(home) == {"ag_news"}


def test_what_a_killed_import_left_is_cleared_and_its_old_dataset_kept(home, write, tmp_path, monkeypatch):
    write(home / ".ag_news.old"), write(home / ".ag_news.new")  # killed between the two renames
    old = _content(home / ".ag_news.old")
    monkeypatch.setattr(shutil, "copyfile", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    with pytest.raises(BadInput):
        store.import_dataset("ag_news", write(tmp_path / "source"))
    assert _datasets(home) == {"ag_news"} and _content(home / "ag_news") == old


def test_after_a_killed_import_the_next_one_succeeds(home, write, tmp_path):
    write(home / ".ag_news.old"), write(home / ".ag_news.new"), write(home / "ag_news")
    assert store.import_dataset("ag_news", write(tmp_path / "source")).train["World"] == 5
    assert _datasets(home) == {"ag_news"}


def test_a_link_to_a_dataset_is_replaced_and_what_it_points_at_kept(home, write, tmp_path):
    shared = write(tmp_path / "shared")
    (home / "ag_news").symlink_to(shared)
    store.import_dataset("ag_news", write(tmp_path / "source", [(c, "n", "w") for c in (1, 2, 3, 4) * 2]))
    assert not (home / "ag_news").is_symlink() and len(_content(shared)["train.csv"].splitlines()) == 20


def test_a_folder_that_cannot_be_written_is_named(write, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("LTH_DATA", str(tmp_path / "file" / "data"))
    with pytest.raises(BadInput, match=r"ag_news could not be copied to .*file/data/ag_news .*set LTH_DATA"):
        store.import_dataset("ag_news", write(tmp_path / "source"))


def test_files_that_were_checked_are_not_read_again_until_they_change(ag_news, write, monkeypatch):
    reads, read = [], published.read
    monkeypatch.setattr(published, "read", lambda *given: reads.append(given) or read(*given))
    said: list[str] = []
    first = store.validate(DataSpec(name="ag_news"), said.append)
    assert (
        store.validate(DataSpec(name="ag_news"), said.append) == first
        and len(reads) == 1
        and said == ["checking ag_news"]
    )

    write(ag_news, [(c, "t", "x") for c in (1, 2, 3, 4) * 2])
    assert store.validate(DataSpec(name="ag_news")).train["World"] == 2 and len(reads) == 2
    (ag_news / "test.csv").write_text("1,a,b\n9,a,b\n")
    for _ in range(2):  # what was refused is refused again
        with pytest.raises(BadInput, match="row 2"):
            store.validate(DataSpec(name="ag_news"))


def test_validating_what_is_not_here_says_how_to_get_it():
    with pytest.raises(BadInput, match="lth data fetch ag_news, or lth data import ag_news PATH"):
        store.validate(DataSpec(name="ag_news"))


def test_the_listing_tells_what_is_here_and_how_large(home, write, tmp_path):
    absent = {entry["name"]: entry for entry in store.listing()}["ag_news"]
    assert not absent["here"] and absent["bytes"] is absent["train"] is None
    store.import_dataset("ag_news", write(tmp_path / "source"))
    entry = {entry["name"]: entry for entry in store.listing()}["ag_news"]
    assert entry["here"] and entry["folder"] == str(home / "ag_news") and (entry["train"], entry["test"]) == (20, 8)
    assert entry["bytes"] == sum(len((home / "ag_news" / f"{part}.csv").read_bytes()) for part in ("train", "test"))
    assert entry["classes"] == ["World", "Sports", "Business", "Sci/Tech"]
    assert json.loads(json.dumps(store.listing())) == store.listing()


def test_counts_are_known_for_files_put_by_hand_once_they_were_checked(ag_news):
    assert store.listing()[1]["here"] and store.listing()[1]["train"] is None
    store.validate(DataSpec(name="ag_news"))
    assert store.listing()[1]["train"] == 20


@pytest.mark.parametrize("about", ["", "[]", "{}", '{"bytes": 3}', '{"bytes": {}, "odd": 1}', "\ud800"])
def test_a_damaged_or_outdated_about_json_is_not_believed(home, write, tmp_path, about):
    store.import_dataset("ag_news", write(tmp_path / "source"))
    (home / "ag_news" / "about.json").write_text(about, errors="replace")
    assert store.listing()[1]["here"] and store.listing()[1]["train"] is None


def test_counts_are_not_believed_when_the_files_were_exchanged(home, write, tmp_path):
    store.import_dataset("ag_news", write(tmp_path / "source"))
    write(home / "ag_news", [(c, "t", "x") for c in (1, 2, 3, 4) * 2])
    assert store.listing()[1]["train"] is None
