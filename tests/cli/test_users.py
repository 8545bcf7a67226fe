"""Several users and one runs folder: shared on purpose they work in it together, else each run is its owner's alone."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from engine.record import history, rundir
from tests.cli.conftest import ROOT, Said
from tests.record.real_runs import make

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become two other users")
ALICE, BOB, GROUP = 54321, 54322, 54323

# Everything is imported first: another user may not be able to read where this Python lies.
BECOME = """
import importlib, os, pkgutil, sys
sys.path.insert(0, sys.argv[1])
for package in ("lth_tui", "lth_tui.commands", "lth_tui.screens", "engine.record", "rich._unicode_data", "typer",
                "filelock"):
    for one in pkgutil.iter_modules(importlib.import_module(package).__path__, package + "."):
        if not one.name.endswith((".checkpoint", "__main__", "_win32", "win32")):
            importlib.import_module(one.name)
import pynvml
from lth_tui import cli
import engine.spec
os.umask(0o022)
os.setgroups([int(sys.argv[3])])
os.setgid(int(sys.argv[2]))
os.setuid(int(sys.argv[2]))
os.chdir("/")
sys.argv[:4] = ["lth"]
"""
LTH = BECOME + "cli.main()\n"


def become(uid: int, code: str, *arguments: object, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, str(ROOT), str(uid), str(GROUP), *map(str, arguments)]
    variables = {**os.environ, "HOME": "/nonexistent", **environment}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=variables)


def lth(uid: int, runs: Path, *arguments: str) -> Said:
    done = become(uid, LTH, *arguments, LTH_RUNS=str(runs))
    out, err = done.communicate(timeout=120)
    assert "Traceback" not in err, err
    return Said(done.returncode, out, err)


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that all users can come to; pytest's own are root's alone."""
    folder = Path(tempfile.mkdtemp(prefix="lth-users-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def owned(uid: int, runs: Path) -> Path:
    """A finished run that a user made there."""
    run = make(runs, state="finished", sentence="A ticket.", best={"dense": 0.5})
    (run / "engine.log").write_text("a line\n")
    (run / "engine.log").chmod((run / "spec.json").stat().st_mode & 0o777)
    for path in (run, *run.rglob("*")):
        os.chown(path, uid, GROUP, follow_symlinks=False)
        if path.is_dir() and path.stat().st_mode & stat.S_IWGRP:
            path.chmod(0o2770)  # chown takes the mark away
    return run


@pytest.fixture
def shared(place: Path) -> Path:
    runs = place / "runs"
    runs.mkdir()
    os.chown(runs, ALICE, GROUP)
    runs.chmod(0o2770)
    return runs


def test_in_a_shared_folder_each_reads_removes_and_brings_back_what_the_other_made(shared: Path) -> None:
    of_alice, of_bob = owned(ALICE, shared), owned(BOB, shared)
    for uid in (ALICE, BOB, ALICE):
        listed = lth(uid, shared, "ls", "--json")
        assert {one["state"] for one in listed.json} == {"finished"}
        assert "cannot" not in listed.err
    assert lth(BOB, shared, "show", of_alice.name, "--json").json["state"] == "finished"
    assert lth(BOB, shared, "logs", of_alice.name).out == "a line\n"
    assert lth(BOB, shared, "rm", of_alice.name).code == 0
    assert [one["id"] for one in lth(ALICE, shared, "ls", "--json").json] == [of_bob.name]
    assert lth(ALICE, shared, "rm", of_bob.name).code == 0, "the trash of the other takes it too"
    assert lth(ALICE, shared, "rm", of_alice.name, "--undo").code == 0
    assert lth(BOB, shared, "rm", of_bob.name, "--undo").code == 0
    assert lth(BOB, shared, "reindex").code == 0
    listed = lth(ALICE, shared, "ls", "--json")
    assert (len(listed.json), listed.err) == (2, "")
    modes = {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in (shared, *shared.rglob("*"))}
    assert modes == {(True, 0o2770), (False, 0o660)}
    assert {path.stat().st_gid for path in shared.rglob("*")} == {GROUP}


def test_a_private_run_of_another_is_listed_as_such_and_nothing_can_be_done_to_it(place: Path) -> None:
    runs = place / "runs"
    runs.mkdir()
    os.chown(runs, ALICE, GROUP)
    runs.chmod(0o2770)
    mine = owned(BOB, runs)
    secret = owned(ALICE, runs)
    for path in (secret, *secret.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    assert lth(ALICE, runs, "ls", "--json").json[0]["state"] == "finished"
    before = (runs / "history.json").read_bytes()
    listed = lth(BOB, runs, "ls", "--json")
    assert {one["id"]: one["state"] for one in listed.json} == {mine.name: "finished", secret.name: "unreadable"}
    assert "cannot be read" in lth(BOB, runs, "ls").out
    assert (runs / "history.json").read_bytes() == before, "what its owner told of it stays"
    assert lth(BOB, runs, "show", "@last").code == 0, "the newest that may be read"
    assert lth(BOB, runs, "queue", "--json").json["running"] == [], "it takes no slot of the machine"
    for command in ("show", "logs", "watch", "stop", "rm", "resume"):
        said = lth(BOB, runs, command, secret.name)
        assert (said.code, said.out) == (2, ""), command
        assert said.err.count("\n") == 1 and "cannot be read" in said.err and f"user {ALICE}" in said.err
    assert lth(BOB, runs, "reindex").code == 0
    assert {one["id"] for one in lth(ALICE, runs, "ls", "--json").json} == {mine.name, secret.name}


def test_a_runs_folder_of_another_that_may_only_be_read_is_listed_and_left_as_it_is(place: Path) -> None:
    runs = place / "runs"
    run = owned(ALICE, runs)
    os.chown(runs, ALICE, GROUP)
    for path in (runs, run, *run.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    said = lth(BOB, runs, "ls", "--json")
    assert [one["id"] for one in said.json] == [run.name]
    assert "history.json cannot be written" in said.err
    said = lth(BOB, runs, "rm", run.name)
    assert said.code == 2 and said.err.count("\n") == 1
    assert [path.name for path in runs.iterdir()] == [run.name]


def test_the_engine_of_another_is_never_signalled_and_that_is_said_in_a_sentence(shared: Path) -> None:
    run = owned(ALICE, shared)
    (run / rundir.LOCK).chmod(0o660)
    code = BECOME + (
        "import time; from pathlib import Path; from engine.record import liveness, rundir\n"
        "run = Path(sys.argv[1]); liveness.hold(run)\n"
        "rundir.write_status(run, {'state': 'running', 'process': liveness.identity()})\n"
        "print('at work', flush=True); time.sleep(600)\n"
    )
    engine = become(ALICE, code, run)
    try:
        assert engine.stdout is not None
        assert engine.stdout.readline() == "at work\n"
        for how in ([], ["--now"]):
            said = lth(BOB, shared, "stop", run.name, *how)
            assert (said.code, said.out) == (2, "")
            assert f"another user's (user {ALICE}); ask them to stop it." in said.err
        assert "working engine" in lth(BOB, shared, "rm", run.name).err
        assert engine.poll() is None
        assert orjson.loads(lth(BOB, shared, "ls", "--json").out)[0]["state"] == "running"
    finally:
        engine.kill()
        engine.wait()
    assert history.refresh(shared)[0][0]["state"] == "orphaned"
