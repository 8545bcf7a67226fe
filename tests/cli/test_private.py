"""Whatever umask a shell has, all that a whole journey writes is its owner's alone; and no secret of it is kept."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from engine.process import sweeps
from engine.record import rundir
from tests.cli.conftest import ROOT, Said, call, command, only_run, run_arguments, runs_here, until
from tests.conftest import write_news

SWEEP = """
models = ["cnn"]
datasets = ["ag_news"]
seeds = 1
arms = ["ticket"]
[settings]
"model.embedding_dim" = 8
"model.filters" = 8
"data.min_count" = 1
"training.epochs" = 1
"schedule.rounds" = 1
threads = 1
[grid]
"schedule.rate" = [0.3]
"""
PRETRAIN = ["--epochs", "1", "--vocabulary-size", "150", "--batch-size", "8", "--max-tokens", "24", "--threads", "1"]


def under(umask: int, *arguments: str, **more: str) -> Said:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **more}
    done = subprocess.run(
        command(*arguments), check=False, capture_output=True, env=environment, umask=umask, timeout=300, text=True
    )
    assert done.returncode == 0, done.stderr
    return Said(done.returncode, done.stdout, done.stderr)


def everything() -> list[Path]:
    """All that the commands wrote, in each folder they may write to."""
    roots = [Path(os.environ[name]) for name in ("LTH_RUNS", "LTH_DATA", "LTH_CACHE", "XDG_CACHE_HOME")]
    return [path for root in roots if root.exists() for path in (root, *root.rglob("*"))]


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_a_whole_journey_leaves_nothing_that_others_may_read(tmp_path: Path, umask: int) -> None:
    write_news(tmp_path / "given")
    (tmp_path / "sweep.toml").write_text(SWEEP)
    under(umask, "data", "import", "ag_news", str(tmp_path / "given"))
    under(umask, *run_arguments())
    run = only_run().name
    under(umask, "ls")
    under(umask, "rm", run)
    under(umask, "rm", run, "--undo")
    wanted = {"history.json", ".history.lock", ".trash", "engine.log", "about.json", "entry.json", ".encoded"}
    if umask == 0:
        under(umask, "extend", run, "--seeds", "2")
        under(umask, "rm", run)
        under(umask, "sweep", str(tmp_path / "sweep.toml"), "--detach")
        until(lambda: sweeps.worker(runs_here(), tmp_path / "sweep.toml") is None)
        assert rundir.state(only_run()) == "finished"
        under(umask, "pretrain", "-d", "ag_news", *PRETRAIN)
        wanted |= {"extensions.jsonl", ".sweeps", "notes.json", ".pretrained", "model.safetensors"}
    written = everything()
    assert wanted <= {path.name for path in written}
    open_to_others = {
        str(path.relative_to(tmp_path)): oct(stat.S_IMODE(path.stat().st_mode))
        for path in written
        if stat.S_IMODE(path.stat().st_mode) != (0o700 if path.is_dir() else 0o600)
    }
    assert open_to_others == {}


SECRETS = {
    name: f"lth-secret-{number}-{name.lower()}-0f3c"
    for number, name in enumerate(
        (
            "AWS_SECRET_ACCESS_KEY",
            "HF_TOKEN",
            "HUGGING_FACE_HUB_TOKEN",
            "WANDB_API_KEY",
            "OPENAI_API_KEY",
            "MY_PASSWORD",
        )
    )
}


@pytest.mark.parametrize("broken", [False, True])
def test_no_secret_of_the_environment_is_written_anywhere(news: Path, tmp_path: Path, broken: bool) -> None:
    extra = {}
    if broken:  # an exception that nobody foresaw, with its traceback
        site = tmp_path / "site"
        site.mkdir()
        (site / "sitecustomize.py").write_text(
            "import sys\n"
            "if any('engine.process.worker' in one for one in sys.orig_argv):\n"
            "    import engine.places, os\n"
            "    def broken(): raise RuntimeError(f'broken with {dict(os.environ)}')\n"
            "    import engine.data.encoding as encoding\n"
            "    encoding.load = lambda *a, **k: broken()\n"
        )
        extra = {"PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])}
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **SECRETS, **extra}
    done = subprocess.run(
        command(*run_arguments()), check=False, capture_output=True, env=environment, timeout=300, text=True
    )
    assert done.returncode == (1 if broken else 0), done.stderr
    assert ("Traceback" in (only_run() / "engine.log").read_text()) == broken
    call("ls")
    files = [path for path in everything() if path.is_file()]
    assert runs_here() / "history.json" in files
    for path in files:
        content = path.read_bytes()
        assert not [name for name, secret in SECRETS.items() if secret.encode() in content], path
    assert not [name for name, secret in SECRETS.items() if secret in done.stdout + done.stderr]
