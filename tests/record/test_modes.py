"""Files of ours are their owner's alone under any umask; in a folder that is shared they are its group's too."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.record import events, history, liveness, modes, rundir, trash
from tests.record.real_runs import make


@pytest.fixture(params=[0o000, 0o077, 0o777])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    try:
        yield request.param
    finally:
        os.umask(before)


def found(folder: Path) -> dict[str, set[int]]:
    """The modes of all files and of all folders below a folder, it among them."""
    told: dict[str, set[int]] = {"files": set(), "folders": set()}
    for path in (folder, *folder.rglob("*")):
        told["folders" if path.is_dir() else "files"].add(stat.S_IMODE(path.lstat().st_mode))
    return told


def everything(runs: Path) -> None:
    run = make(runs)
    events.EventLog(run).append("warning", message="made")
    history.fold(runs, run)
    trash.restore(runs, trash.put(run).name)
    held = os.fork()
    if held == 0:
        (run / rundir.LOCK).unlink()
        liveness.hold(run)
        os._exit(0)
    os.waitpid(held, 0)


def test_all_is_its_owners_alone_under_any_umask(umask: int, tmp_path: Path) -> None:
    everything(tmp_path / "deep" / "runs")
    assert found(tmp_path / "deep") == {"files": {0o600}, "folders": {0o700}}


def test_in_a_shared_folder_all_is_its_groups_too(umask: int, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    runs.mkdir()
    runs.chmod(0o2770)
    everything(runs)
    assert found(runs) == {"files": {0o660}, "folders": {0o2770}}


@pytest.mark.parametrize("mode", [0o700, 0o770, 0o2700, 0o2750, 0o755, 0o777])
def test_a_folder_is_shared_only_where_both_marks_say_so(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    assert not modes.shared(tmp_path)
    assert (modes.of_file(tmp_path), modes.of_folder(tmp_path)) == (0o600, 0o700)


def test_a_lock_from_before_the_folder_was_shared_becomes_its_groups(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    history.fold(runs, make(runs))
    runs.chmod(0o2770)
    history.fold(runs, make(runs))
    assert stat.S_IMODE((runs / ".history.lock").stat().st_mode) == 0o660
    assert stat.S_IMODE((runs / "history.json").stat().st_mode) == 0o660


def test_a_tree_of_others_making_is_settled_but_nothing_that_a_link_leads_to(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"")
    outside.chmod(0o644)
    tree = tmp_path / "tree"
    (tree / "deep").mkdir(parents=True)
    (tree / "deep" / "file").write_bytes(b"")
    (tree / "link").symlink_to(outside)
    modes.settle(tree)
    assert stat.S_IMODE((tree / "deep" / "file").stat().st_mode) == 0o600
    assert stat.S_IMODE((tree / "deep").stat().st_mode) == 0o700
    assert stat.S_IMODE(outside.stat().st_mode) == 0o644
