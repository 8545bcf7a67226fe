"""`lth data import` takes archives, and what is hostile or torn in them leaves nothing behind."""

import gzip
import io
import json
import tarfile
import zipfile
from functools import partial
from pathlib import Path

import pytest

from engine.data import archive, corpus, store
from engine.errors import BadInput
from engine.spec import DataSpec
from tests.data.test_published import TEST, TRAIN, _acl, _classic, _csv, _hub, _sst


def _tar(path: Path, folder: Path, inner: str = "") -> Path:
    with tarfile.open(path, "w:gz") as made:
        made.add(folder, arcname=inner or "./")
    return path


def _zip(path: Path, folder: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for file in sorted(folder.rglob("*")):
            made.write(file, file.relative_to(folder))
        made.writestr("__MACOSX/._train.csv", b"\0\5\26\7")
    return path


def _source(tmp_path: Path, form=_classic) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    form(folder)
    (folder / "readme.txt").write_text("about it")
    return folder


def _left(home: Path) -> set[str]:
    return {path.name for path in home.iterdir() if path.suffix != ".lock"} - {".encoded"}


def _here(name: str = "imdb") -> tuple[list, list]:
    read = corpus.read(DataSpec(name=name))
    return sorted(read.train), sorted(read.test)


@pytest.mark.parametrize("form", [_classic, _sst, _acl, _hub])
@pytest.mark.parametrize("packed", ["imdb.tgz", "imdb.tar.gz", "archive.zip", "folder"])
def test_every_form_comes_in_from_a_folder_or_an_archive(home, tmp_path, form, packed):
    source = _source(tmp_path, form)
    if packed != "folder":
        path = tmp_path / packed
        source = _zip(path, source) if packed.endswith("zip") else _tar(path, source, "imdb_csv")
    said: list[str] = []
    summary = store.import_dataset("imdb", source, said.append)
    assert sum(summary.train.values()) == len(TRAIN) and summary == store.validate(DataSpec(name="imdb"))
    assert _here() == (sorted(TRAIN), sorted(TEST))
    assert _left(home) == {"imdb"} and "checking imdb" in said
    assert {entry["name"]: entry for entry in store.listing()}["imdb"]["train"] == len(TRAIN)


def test_aclimdbs_thousands_of_files_become_two(home, tmp_path):
    store.import_dataset("imdb", _tar(tmp_path / "aclImdb_v1.tar.gz", _source(tmp_path, _acl)))
    assert sorted(file.name for file in (home / "imdb").iterdir()) == ["about.json", "test.parquet", "train.parquet"]


def test_an_archive_gives_the_texts_in_the_order_of_its_folder(home, tmp_path):
    """Or the same set would be split otherwise, by how it was brought."""
    source = _source(tmp_path, _acl)
    store.import_dataset("imdb", source)
    first = list(corpus.read(DataSpec(name="imdb")).train)
    store.import_dataset("imdb", _zip(tmp_path / "a.zip", source))
    assert list(corpus.read(DataSpec(name="imdb")).train) == first


def test_kaggles_csv_comes_in_by_itself_and_zipped(home, tmp_path):
    source = tmp_path / "IMDB Dataset.csv"
    _csv(source, [("review", "sentiment"), *((text, ("negative", "positive")[label]) for text, label in TRAIN)])
    by_file = store.import_dataset("imdb", source)
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as made:
        made.write(source, source.name)
    assert store.import_dataset("imdb", tmp_path / "archive.zip") == by_file
    assert (home / "imdb" / "IMDB Dataset.csv").exists() and "no test part" in by_file.note


@pytest.mark.parametrize("given", ["train.csv", "test.csv"])
def test_one_of_its_files_stands_for_its_folder(tmp_path, given):
    assert sum(store.import_dataset("imdb", _source(tmp_path) / given).test.values()) == len(TEST)


def _member(name: str, content: bytes = b"1,a\n2,b\n", **more: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in more.items():
        setattr(info, field, value)
    return info, content


def _hostile(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as made:
        for info, content in [_member("set/train.csv"), *members]:
            made.addfile(info, io.BytesIO(content) if info.isreg() else None)
    return path


_LINK = {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd", "size": 0}
_HOSTILE = {
    "climbs": (_member("set/../../test.csv"), r"climbs out of its folder \(it holds 'set/../../test.csv'\)"),
    "climbs unwanted": (_member("../notes.txt"), "climbs out of its folder"),
    "absolute": (_member("/tmp/test.csv"), "climbs out of its folder"),
    "drive": (_member("C:\\test.csv"), "climbs out of its folder"),
    "backslashes": (_member("..\\..\\test.csv"), "climbs out of its folder"),
    "link": (_member("set/test.csv", b"", **_LINK), "holds a link or a device"),
    "unwanted link": (_member("set/x", b"", **_LINK), "holds a link or a device"),
    "hard link": (_member("set/test.csv", b"", **(_LINK | {"type": tarfile.LNKTYPE})), "holds a link or a device"),
    "fifo": (_member("set/test.csv", b"", type=tarfile.FIFOTYPE), "holds a link or a device"),
    "device": (_member("set/test.csv", b"", type=tarfile.CHRTYPE), "holds a link or a device"),
    "twice": (_member("other/train.csv"), "holds two of train.csv"),
    "half": (_member("set/readme.txt"), "^dataset: .*/evil.tgz holds a train.csv but no test.csv"),
    "broken": (_member("set/test.csv", b'"1","a'), "^dataset: .*/evil.tgz/test.csv, row 1: not csv"),
    "huge name": (_member("n" * 2_000_000 + ".csv"), "is no archive of texts"),
}


@pytest.mark.parametrize(("member", "says"), _HOSTILE.values(), ids=_HOSTILE)
@pytest.mark.parametrize("there", [True, False])
def test_a_hostile_tar_is_refused_in_one_sentence_and_nothing_is_left(home, tmp_path, member, says, there):
    if there:
        store.import_dataset("imdb", _source(tmp_path))
    before = sorted(home.rglob("*"))
    with pytest.raises(BadInput, match=says) as caught:
        store.import_dataset("imdb", _hostile(tmp_path / "evil.tgz", member))
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".") and len(str(caught.value)) < 500
    assert [path for path in sorted(home.rglob("*")) if path.suffix != ".lock"] == [
        path for path in before if path.suffix != ".lock"
    ]
    assert not (tmp_path / "test.csv").exists() and not (home / "test.csv").exists()


def test_a_hostile_zip_is_refused_too(home, tmp_path):
    for number, (name, mode, says) in enumerate(
        [
            ("../test.csv", 0o100644, "climbs out"),
            ("..\\test.csv", 0o100644, "climbs out"),
            ("set/test.csv", 0o120777, "holds a link or a device"),
        ]
    ):
        path = tmp_path / f"{number}.zip"
        with zipfile.ZipFile(path, "w") as made:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            made.writestr(info, "/etc/passwd")
        with pytest.raises(BadInput, match=says):
            store.import_dataset("imdb", path)
    assert _left(home) == set()


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("packed", ["a.tgz", "a.zip"])
def test_a_download_that_broke_off_is_refused_wherever_it_broke(home, tmp_path, kept, packed):
    source = _source(tmp_path)
    rows = [(n % 2 + 1, f"text {n * 7919 % 10007}") for n in range(3000)]
    _csv(source / "train.csv", rows), _csv(source / "test.csv", rows)
    whole = (_zip if packed.endswith("zip") else _tar)(tmp_path / packed, source)
    content = whole.read_bytes()
    whole.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(BadInput, match=r"breaks off or is damaged .*download it again"):
        store.import_dataset("imdb", whole)
    whole.write_bytes(content[:-40] + bytes(byte ^ 1 for byte in content[-40:]))
    with pytest.raises(BadInput):
        store.import_dataset("imdb", whole)
    assert _left(home) == set()
    whole.write_bytes(content)
    assert sum(store.import_dataset("imdb", whole).train.values()) == 3000


def test_a_bomb_is_refused_before_it_fills_the_disk(home, tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MOST_BYTES", 1_000_000)
    bomb = _hostile(tmp_path / "bomb.tgz", _member("set/test.csv", b"1,aaaaaaa\n" * 200_000))
    with pytest.raises(BadInput, match=r"holds more than 0\.001 GB"):
        store.import_dataset("imdb", bomb)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("train.csv", b"1,aaaaaaa\n" * 200_000)
    with pytest.raises(BadInput, match=r"holds more than 0\.001 GB"):
        store.import_dataset("imdb", tmp_path / "bomb.zip")
    monkeypatch.setattr(archive, "MOST_FILES", 10)
    many = _hostile(tmp_path / "many.tgz", *(_member(f"set/{n}.txt", b"") for n in range(20)))
    with pytest.raises(BadInput, match="holds more than 10 files"):
        store.import_dataset("imdb", many)
    assert _left(home) == set()


def test_what_follows_the_end_of_a_tar_does_not_go_on_for_ever(home, tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MOST_BYTES", 1_000_000)
    source = _tar(tmp_path / "a.tgz", _source(tmp_path))
    source.write_bytes(gzip.compress(gzip.decompress(source.read_bytes()) + bytes(3_000_000)))
    with pytest.raises(BadInput, match="breaks off or is damaged"):
        store.import_dataset("imdb", source)


def _no_utf8(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("train\u00e9.csv", "1,a\n")
    path.write_bytes(path.read_bytes().replace("\u00e9".encode(), b"\xff\xfe"))


def _no_name(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("train.csv", "1,a\n")
    path.write_bytes(path.read_bytes().replace(b"train.csv", b"\0rain.csv"))


def _torn(path: Path, compression: int) -> None:
    with zipfile.ZipFile(path, "w", compression) as made:
        made.writestr("train.csv", "".join(f"{n % 2 + 1},text {n * 7919 % 10007}\n" for n in range(3000)))
    content = bytearray(path.read_bytes())
    content[60:2000] = bytes(1940)
    path.write_bytes(content)


def _sparse(path: Path) -> None:
    info = tarfile.TarInfo("train.csv")
    info.pax_headers = {"GNU.sparse.map": "0,x"}
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as made:
        made.addfile(info)


_DAMAGED = {
    "utf8.zip": _no_utf8,
    "nameless.zip": _no_name,
    "lzma.zip": partial(_torn, compression=zipfile.ZIP_LZMA),
    "bzip2.zip": partial(_torn, compression=zipfile.ZIP_BZIP2),
    "deflate.zip": partial(_torn, compression=zipfile.ZIP_DEFLATED),
    "sparse.tgz": _sparse,
}


@pytest.mark.parametrize("name", _DAMAGED)
def test_an_archive_that_is_damaged_is_said_to_be_and_not_the_disk(home, tmp_path, name):
    _DAMAGED[name](tmp_path / name)
    with pytest.raises(BadInput, match=rf"{name} breaks off or is damaged \(.*\); download it again\.$") as caught:
        store.import_dataset("imdb", tmp_path / name)
    assert "\n" not in str(caught.value) and _left(home) == set()


def test_an_encrypted_zip_says_what_to_do(tmp_path):
    path = _zip(tmp_path / "a.zip", _source(tmp_path))
    content = bytearray(path.read_bytes())
    at = content.find(b"PK\1\2")
    while at >= 0:
        content[at + 8] |= 1
        at = content.find(b"PK\1\2", at + 4)
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"cannot be unpacked \(.*unpack it and give the folder"):
        store.import_dataset("imdb", path)


def test_a_disk_that_fills_up_while_unpacking_is_said_and_nothing_is_left(home, tmp_path, monkeypatch):
    source = _tar(tmp_path / "a.tgz", _source(tmp_path))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archive.shutil, "copyfileobj", full)
    with pytest.raises(BadInput, match=r"could not be copied to .*No space left on device.*set LTH_DATA"):
        store.import_dataset("imdb", source)
    assert _left(home) == set()


def test_what_a_killed_import_unpacked_is_cleared(home, tmp_path):
    (home / ".imdb.unpacked").mkdir()
    (home / ".imdb.unpacked" / "train.csv").write_text("1,half")
    store.import_dataset("imdb", _tar(tmp_path / "a.tgz", _source(tmp_path)))
    assert _left(home) == {"imdb"} and _here() == (sorted(TRAIN), sorted(TEST))


def test_the_summary_is_plain_data_that_stays_true(home, tmp_path):
    store.import_dataset("imdb", _tar(tmp_path / "a.tgz", _source(tmp_path, _acl)))
    about = json.loads((home / "imdb" / "about.json").read_text())
    assert about["train"] == {"negative": 6, "positive": 6}
    assert about["bytes"].keys() == {"train.parquet", "test.parquet"}
