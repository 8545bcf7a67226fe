"""Making runs, starting their engines, asking them to stop. Imports no torch: the command line and the app use it."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from engine import catalog, steps
from engine.errors import BadInput
from engine.places import cache_root, runs_root
from engine.process import gpus, logfile
from engine.record import liveness, modes, rundir, waiting

if TYPE_CHECKING:
    from engine.spec import RunSpec

OF_THE_MACHINE = 75  # an engine's code where another run would fare no better: a full disk, a GPU that is gone
_LOCK_WAIT = 60.0  # seconds a started engine may take until it holds its lock
_POLL = 0.02


def new_run(
    runs: Path,
    spec: "RunSpec",
    progress: Callable[[str], None] = lambda _: None,
    fill: Callable[[Path], None] = lambda draft: None,
) -> Path:
    """A queued run of this spec, once all it needs is known to be here and sound. Raises BadInput, leaving nothing.

    `fill` is given its directory before the run can be seen, for further files that its engine needs.
    """
    from engine import spec as specs

    check(spec, progress)
    plan = spec.schedule.name if spec.origin is None else f"{spec.schedule.name}-{spec.origin.question}"
    return rundir.create(runs, specs.dump(spec), spec.model.name, spec.data.name, plan, fill)


def check(spec: "RunSpec", progress: Callable[[str], None] = lambda _: None) -> None:
    """Make sure that texts, checkpoint and word vectors of a run are here and sound. Raises BadInput."""
    from engine.models import vectors

    check_texts(spec, progress)
    checkpoint(spec, download=True, progress=progress)
    if (given := getattr(spec.model, "vectors", None)) is not None:
        vectors.check(vectors.find(given), spec.model.embedding_dim)  # type: ignore[attr-defined]


def check_texts(spec: "RunSpec", progress: Callable[[str], None] = lambda _: None) -> None:
    """Make sure that a run's dataset is here, sound, and large enough. Raises BadInput."""
    from engine.data import store

    found = store.validate(spec.data, progress)
    texts, least = sum(found.train.values()), 2 * len(found.train)
    if spec.data.train_size is not None and not least <= spec.data.train_size <= texts:
        raise BadInput(
            f"data.train_size: {spec.data.train_size} given; {spec.data.name} has {texts} training texts of "
            f"{len(found.train)} classes, so give from {least} to {texts}, or none to use all."
        )
    # The split itself may differ by a text or two; the engine, which knows it, has the last word.
    trained_on = round((spec.data.train_size or texts) * (1 - spec.data.valid_fraction))
    steps.within(spec.schedule.rewind, spec.training.epochs, max(1, -(-trained_on // spec.training.batch_size)))


def checkpoint(
    spec: "RunSpec", download: bool = False, progress: Callable[[str], None] = lambda _: None
) -> Path | None:
    """The local folder of the checkpoint that a run begins from; None for a model that reads words. Raises BadInput.

    Only `download` asks the hub, and only for what is not on this machine.
    """
    model = spec.model
    if catalog.MODELS[model.name].reads == "words":
        return None
    from engine.models import checkpoints

    given = model.checkpoint  # type: ignore[attr-defined]
    if given is not None:
        return checkpoints.resolve(given, download, progress)
    from engine.models import pretraining

    if model.name not in pretraining.SIZES:
        raise BadInput(f"model.checkpoint: none given, but {model.name} begins from one; give a folder or a hub name.")
    folder = pretraining.folder_for(model.name, spec.data)
    if not folder.is_dir():
        data = spec.data
        words = ["lth", "pretrain", "-m", model.name, "-d", data.file or data.name]
        words += ["--test-file", data.test_file] if data.test_file else []
        columns = (("text_column", data.text_column), ("label_column", data.label_column))
        words += [word for name, column in columns if column for word in ("--set", f"data.{name}={column}")]
        if folder.with_name(f"{folder.name}.part").is_dir():
            raise BadInput(
                f"model.checkpoint: the pretraining of {model.name} on {data.name} is not finished; "
                "go on with the lth pretrain command that began it, or give a transformers folder."
            )
        raise BadInput(
            f"model.checkpoint: no {model.name} has been pretrained on these texts of {data.name} on this machine; "
            f"make one with: {shlex.join(words)}, or give a transformers folder."
        )
    return checkpoints.resolve(str(folder), False, progress)


def spawn(
    run: Path, options: Sequence[str] = (), environment: Mapping[str, str | None] | None = None
) -> subprocess.Popen:
    """Start the engine of a run, detached, with its output in the run's engine.log; options are the worker's."""
    return detached(["engine.process.worker", *options, str(run)], run, "/", environment)


def detached(
    module: list[str], folder: Path, cwd: str | Path, environment: Mapping[str, str | None] | None = None
) -> subprocess.Popen:
    """Start a module with its arguments: a session of its own, stdin from /dev/null, output to folder/engine.log.

    It inherits our environment, save the variables of `environment`, which are these, or not set where that is None.
    """
    log = os.open(folder / logfile.NAME, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        modes.give(log, folder)
        return subprocess.Popen(
            # -P: no folder named engine where we happen to start can come before ours
            [sys.executable, "-P", "-m", *module],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=cwd,
            env={name: value for name, value in {**_environment(), **(environment or {})}.items() if value is not None},
        )
    finally:
        os.close(log)


def own_environment() -> dict[str, str]:
    """The variables that a run keeps while it waits (`waiting.ENV`), so that they mean the same wherever it starts."""
    own = {name: value for name in waiting.ENV if (value := os.environ.get(name))}
    own |= {name: str(Path(own[name]).expanduser().absolute()) for name in waiting.FOLDERS if name in own}
    if "LTH_CACHE" in own:
        own["LTH_CACHE"] = str(cache_root() or "off")
    if (cards := gpus.allowed()) is not None:
        own["CUDA_VISIBLE_DEVICES"] = cards
    return {"XDG_CACHE_HOME": str(Path.home() / ".cache"), **own}


def _environment() -> dict[str, str | None]:
    """What the engine inherits: our environment, and a path on which it finds the same packages from any folder."""
    here = Path(__file__).resolve().parents[2]
    given = [str(Path(path).absolute()) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    paths = given if here.name in ("site-packages", "dist-packages") else [str(here), *given]
    return {
        # Threads that wait by spinning made a step 27 times slower on two cores that two other processes also used.
        "OMP_WAIT_POLICY": "PASSIVE",
        **os.environ,
        **own_environment(),
        "LTH_RUNS": str(runs_root()),
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
        "PYTHONUNBUFFERED": "1",
    }


class LaunchFailed(Exception):
    """The engine ended before it held its lock; the text is the last line of its log."""


class TooSlow(LaunchFailed):
    """The engine gave no sign of life in time, and was ended. Its run is as it was."""


def start(run: Path, begin: Callable[[Path], subprocess.Popen] | None = None) -> subprocess.Popen:
    """Start the engine; return once it holds its lock and its status says so. Raises LaunchFailed if it never does,
    TooSlow if it takes over a minute.

    `begin` starts what is to hold the lock of that folder, where it is not the engine of a run.
    """
    deadline = time.monotonic() + _LOCK_WAIT
    let_leave(run, deadline)
    engine = (begin or spawn)(run)
    ended = False
    while not ended and time.monotonic() < deadline:
        ended = engine.poll() is not None  # before the look, so that what it wrote last is seen
        held = ended or liveness.holder(run) == engine.pid
        if held and rundir.read_status(run).get("process", {}).get("pid") == engine.pid:
            return engine
        time.sleep(_POLL)
    if engine.poll() is None:
        os.killpg(engine.pid, signal.SIGKILL)  # our own child, not yet waited for
        engine.wait()
        raise TooSlow(f"the engine gave no sign of life for {_LOCK_WAIT:.0f} s; the machine may be too busy")
    words = last_line(run) or "the engine ended before it began"
    # One that left in peace found another engine at work, or the run taken out of the queue.
    ended_well = engine.returncode in (0, OF_THE_MACHINE)
    if not ended_well and rundir.read_status(run)["state"] == "queued" and liveness.holder(run) is None:
        rundir.fail(run, words)
    raise LaunchFailed(words)


def let_leave(run: Path, deadline: float | None = None) -> None:
    """Wait while the engine before has said its last word and is just leaving; a minute, or up to that moment."""
    deadline = time.monotonic() + _LOCK_WAIT if deadline is None else deadline
    while rundir.read_status(run)["state"] in rundir.FINAL and liveness.holder(run) and time.monotonic() < deadline:
        time.sleep(_POLL)


def last_line(run: Path) -> str:
    """The last line of the engine's log that is not blank; empty where there is none."""
    reader = logfile.Reader(run, last=4096)
    with closing(reader), suppress(OSError):
        lines = b"".join(iter(reader.read, b"")).decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")
    return ""


def end(run: Path) -> bool:
    """Kill the engine that holds the run's lock, and its group; the run is then stopped, and says so. False if none is
    there that may be killed. OSError where that cannot be written.
    """
    if not _signal(run, now=True):
        return False
    deadline = time.monotonic() + _LOCK_WAIT
    while rundir.holder(run) is not None and time.monotonic() < deadline:
        time.sleep(_POLL)
    rundir.release(run)
    status = rundir.read_status(run)
    if status["state"] in rundir.ACTIVE and rundir.holder(run) is None:
        ended = {"state": "stopped", "cause": "killed by `lth stop --now`", "finished": time.time()}
        rundir.write_status(run, status | ended, durable=True)
    return True


def ask_to_stop(run: Path) -> bool:
    """SIGTERM to the engine that holds the run's lock. False if there is none that may be asked."""
    return _signal(run, now=False)


def _signal(run: Path, now: bool) -> bool:
    """SIGTERM to the engine, or SIGKILL to its group.

    The process must be the one that wrote the status, on this host, since this boot: nobody else's is ever signalled.
    """
    status = rundir.read_status(run)
    pid = liveness.holder(run)
    process = status.get("process", {})
    if not pid or pid != process.get("pid") or not liveness.same_process(process, pid):
        return False
    try:
        if now:
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGTERM)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def why_not(run: Path) -> str:
    """Why the engine of a run that is at work cannot be asked to stop, in a sentence with what would do."""
    process = rundir.read_status(run).get("process", {})
    if isinstance(process.get("host"), str) and not liveness.here(process):
        return f"it works on another machine; stop it there, on {process['host']}."
    if (pid := liveness.holder(run)) and liveness.same_process(process, pid):
        return f"its engine is another user's ({rundir.owner(Path(f'/proc/{pid}'))}); ask them to stop it."
    return "its engine is not a process of this machine's that may be signalled."
