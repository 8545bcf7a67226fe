"""The room that shared dense rounds take: what goes first, on what disks, and whoever writes or dies meanwhile."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.errors import BadInput
from engine.record import room, shared
from tests.record.dense_rounds import DENSE, KEY, PARTS, RUN, THEN, TOLD, bits, doubted, found, keep, parts_of, root
from tests.record.dense_rounds import weights as drawn
from tests.record.real_runs import python

LARGE = drawn(1, 4000)


def used_at(folder: Path, seconds: float) -> None:
    os.utime(folder / "entry.json", (seconds, seconds))


@pytest.mark.parametrize("given", ["much", "-1", "0", "nan", "inf", "1e300", "5 GB"])
def test_a_cap_that_is_none_is_refused_before_anything_is_trained(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("LTH_CACHE_GB", given)
    for use in (lambda: shared.find(KEY), lambda: shared.save(KEY, PARTS, TOLD, DENSE, {}, RUN)):
        with pytest.raises(BadInput, match=rf"^LTH_CACHE_GB: '{given}' given; give a number of gigabytes"):
            use()


def test_the_usual_cap_is_five_gigabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert room.cap() == 5 * 10**9
    monkeypatch.setenv("LTH_CACHE_GB", "0.25")
    assert room.cap() == 250_000_000


@pytest.fixture
def four(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Four entries of one size, the least recently used first, and a cap of four and a half of them."""
    made = [keep(parts_of(seed), LARGE) for seed in range(4)]
    for age, folder in enumerate(made):
        used_at(folder, 1e9 + age)
    monkeypatch.setenv("LTH_CACHE_GB", str(4.5 * room.size(made[0]) / 1e9))
    return made


def there(entries: list[Path]) -> list[bool]:
    return [folder.exists() for folder in entries]


def test_the_least_recently_used_go_first_and_only_as_many_as_must(four: list[Path]) -> None:
    new = [keep(parts_of(seed), LARGE) for seed in (8, 9)]
    assert there([*four, *new]) == [False, False, True, True, True, True]


def test_loading_is_a_use(four: list[Path]) -> None:
    assert shared.load(found(four[0].name)) is not None
    assert shared.load(found(four[1].name), 5) is not None
    new = keep(parts_of(9), LARGE)
    assert there([*four, new]) == [True, True, False, True, True]


def test_the_entry_just_written_stays_though_it_is_larger_than_the_cap(
    four: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LTH_CACHE_GB", "1e-9")
    new = keep(parts_of(9), LARGE)
    assert there([*four, new]) == [False, False, False, False, True]
    assert shared.add_passed(new.name, 7, THEN) is None
    assert new.exists()


def test_added_weights_count_too(four: list[Path]) -> None:
    assert shared.add_passed(four[0].name, 7, LARGE) is None
    assert there(four) == [True, False, True, True]


def test_clear_removes_all_or_what_was_not_used_for_so_many_days() -> None:
    made = [keep(parts_of(seed)) for seed in range(3)]
    sizes = [room.size(folder) for folder in made]
    used_at(made[1], time.time() - 5 * 86400)
    assert room.clear(older_than_days=6) == (0, 0)
    assert room.clear(older_than_days=4) == (1, sizes[1])
    assert there(made) == [True, False, True]
    assert room.clear() == (2, sizes[0] + sizes[2])
    assert room.clear() == (0, 0)


def test_what_another_process_clears_first_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = keep()
    monkeypatch.setattr(room, "size", lambda _: shutil.rmtree(folder) or 7)
    assert room.clear() == (0, 0)


def test_nothing_but_entries_is_ever_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """LTH_CACHE may have been pointed at somebody's home."""
    elsewhere = keep(parts_of(8)).rename(tmp_path / "elsewhere")
    theirs = ["letters/.draft-1", "0" * 32 + "/photo.jpg", ".new-thing/x", ".gone-thing/x", "f" * 31 + "/entry.json"]
    for name in theirs:
        (root() / name).parent.mkdir()
        (root() / name).write_text("mine")
        os.utime(root() / name, (1, 1))
        os.utime((root() / name).parent, (1, 1))
    (root() / ("a" * 32)).symlink_to(elsewhere)
    monkeypatch.setenv("LTH_CACHE_GB", "1e-9")
    keep()
    assert [row["key"] for row in shared.entries()] == [KEY]
    assert room.clear()[0] == 1
    assert all((root() / name).read_text() == "mine" for name in theirs)
    assert (root() / ("a" * 32) / "dense.safetensors").exists() and elsewhere.exists()


def test_what_killed_writers_left_is_swept_after_an_hour_and_not_before() -> None:
    folder = keep()
    torn = [root() / f"{room.DRAFT}a", root() / f"{room._GONE}b", folder / ".at-5.x.safetensors-c"]
    fresh = [path.with_name(path.name + "-fresh") for path in torn]
    for path in [*torn, *fresh]:
        path.touch() if path.parent == folder else path.mkdir()
    for path in torn:
        os.utime(path, (time.time() - 3700,) * 2)
    keep(parts_of(4))
    assert there(torn) == [False] * 3
    assert there(fresh) == [True] * 3
    assert doubted() is None
    assert len(shared.entries()) == 2, "drafts are no entries"


# Disks that refuse.


def both() -> str | None:
    """Keep another entry, then add to KEY's; what was said against it."""
    said = shared.save(shared.key(parts_of(4)), parts_of(4), TOLD, DENSE, {5: THEN}, RUN)
    return said or shared.add_passed(KEY, 6, THEN)


@pytest.mark.parametrize("name", ["write", "fsync", "replace", "rename", "mkdir", "chmod", "fchmod"])
def test_whichever_call_fails_a_sentence_says_so_and_what_is_there_is_whole(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    real = getattr(os, name)
    for at in range(30):
        shutil.rmtree(root(), ignore_errors=True)
        keep()
        uses = iter(range(100))

        def fails(*given: Any, at: int = at, uses: Iterator[int] = uses, **more: Any) -> Any:
            if next(uses) == at:
                raise OSError(28, "No space left on device")
            return real(*given, **more)

        with monkeypatch.context() as patch:
            patch.setattr(os, name, fails)
            said = both()
        assert not [path for path in root().rglob("*") if path.name.startswith(".")], "a draft is left behind"
        assert doubted() is None and shared.find(KEY) is not None
        if (other := shared.find(shared.key(parts_of(4)))) is not None:
            assert bits(shared.load(other)) == bits(DENSE) and bits(shared.load(other, 5)) == bits(THEN)
        if said is None:
            assert at > 0, f"os.{name} is never used; the test tests nothing"
            assert other is not None and found().passed == {5, 6}
            return
        assert said.startswith(f"dense rounds cannot be kept for later runs in {root()} (No space left on device); ")
    pytest.fail(f"os.{name} was never left alone")


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file system of 64 kB, where LTH_CACHE is."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=755", "none", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a file system can be mounted by root only")
    monkeypatch.setenv("LTH_CACHE", str(folder / "cache"))
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_costs_a_sentence_and_leaves_nothing_half_written(disk: Path) -> None:
    keep()
    said = shared.save(shared.key(parts_of(4)), parts_of(4), TOLD, drawn(1, 40_000), {5: THEN}, RUN)
    assert said is not None and "No space left on device" in said and "LTH_CACHE" in said
    said = shared.add_passed(KEY, 6, drawn(1, 40_000))
    assert said is not None and "No space left on device" in said
    assert os.listdir(root()) == [KEY] and len(os.listdir(root() / KEY)) == 3
    assert doubted() is None


def test_a_cache_on_a_read_only_disk_is_read_and_not_written(disk: Path) -> None:
    folder = keep()
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    assert shared.find(KEY) is not None and doubted() is None
    assert "Read-only file system" in (both() or "")
    assert "Read-only file system" in (shared.add_passed(KEY, 6, THEN) or "")
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    (folder / "dense.safetensors").write_bytes(b"")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    assert "nor removed (Read-only file system); it is trained again." in (doubted() or "")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write anywhere")
def test_a_folder_one_may_not_write_is_read_and_one_may_not_read_costs_a_sentence() -> None:
    folder = keep()
    for path in (folder, root()):
        path.chmod(0o500)
    try:
        assert shared.find(KEY) is not None and doubted() is None
        assert "Permission denied" in (both() or "")
        (folder / "dense.safetensors").chmod(0o000)
        assert "Permission denied" in (doubted() or "")
    finally:
        for path in (root(), folder):
            path.chmod(0o700)


@pytest.mark.parametrize("place", ["/proc/lth", "file", "file/below"])
def test_a_cache_that_cannot_be_there_costs_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LTH_CACHE", str(tmp_path / place))
    assert shared.find(KEY) is None
    said = shared.save(KEY, PARTS, TOLD, DENSE, {5: THEN}, RUN)
    assert said is not None and str(tmp_path / place) in said
    assert shared.add_passed(KEY, 5, THEN) is None


# Processes that meet, and processes that die. One of them imports torch; the others are forked from it.

FORKS = """
import os, traceback
from engine.record import room, shared
from tests.record.dense_rounds import DENSE, KEY, PARTS, RUN, THEN, TOLD, bits, keep, parts_of

os.fsync = lambda descriptor: None  # a killed process is no power cut

def fork(work):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        os._exit(code)
    return pid

def codes(*works):
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in [fork(work) for work in works]]

def whole(entry):
    for step, wanted in ((None, DENSE), *((step, THEN) for step in entry.passed)):
        loaded = shared.load(entry, step)
        assert loaded is None or bits(loaded) == bits(wanted)
"""

MEETING = """
def write():
    for turn in range(15):
        keep()
        assert shared.add_passed(KEY, turn, THEN) is None

def read():
    for _ in range(60):
        if (entry := shared.find(KEY)) is not None:
            whole(entry)

def remove():
    for _ in range(15):
        room.clear()

print(codes(write, write, read, remove, remove))
keep()
print(codes(write, write, read))
"""

DYING = """
def dying(name, at):
    real, uses = getattr(os, name), iter(range(100))

    def dies(*given, **more):
        if next(uses) == at:
            os.kill(os.getpid(), 9)
        return real(*given, **more)

    setattr(os, name, dies)
    keep(parts_of(4))
    shared.add_passed(KEY, 6, THEN)

for name in ("write", "fsync", "replace", "rename", "mkdir"):
    for at in range(100):
        room.clear()
        keep()
        (code,) = codes(lambda: dying(name, at))
        whole(shared.find(KEY))
        if (other := shared.find(shared.key(parts_of(4)))) is not None:
            assert shared.load(other) is not None and other.passed == {5}
            whole(other)
        if code == 0:
            break
        assert code == -9, code
    print(name, at)
"""


def said_by(code: str) -> list[str]:
    child = python(FORKS + code)
    out, _ = child.communicate(timeout=120)
    assert child.returncode == 0, out
    return out.splitlines()


def test_processes_that_write_read_and_remove_one_entry_at_once_never_break_each_other() -> None:
    assert said_by(MEETING) == ["[0, 0, 0, 0, 0]", "[0, 0, 0]"]
    assert doubted() is None
    assert found().passed == frozenset(range(15))
    assert not [path for path in root().rglob("*") if path.name.startswith(".")]


def test_a_writer_killed_at_any_call_leaves_the_old_state_or_the_new() -> None:
    deaths = dict(line.split() for line in said_by(DYING))
    assert {name: int(count) >= 1 for name, count in deaths.items()} == dict.fromkeys(deaths, True)
    assert int(deaths["write"]) >= 4 and int(deaths["fsync"]) >= 9
    for left in root().glob(".*"):
        os.utime(left, (1, 1))
    keep(parts_of(9))
    assert not list(root().glob(".*")), "what the dead left is swept"
