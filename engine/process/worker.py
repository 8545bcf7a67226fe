"""The engine process: `python -m engine.process.worker RUN_DIR` runs the spec of a run directory to its end.

Started from the queue it is told so (`--queued`), the UUID of the GPU it gets (`--gpu`), and how many runs may work at
once on the machine (`--slots`) and on that GPU (`--each`).

It always has a session of its own, so that a closed terminal cannot reach it, and it takes the run's lock before it
imports anything heavy: that lock, held, is what "alive" means.
"""

import argparse
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import BadInput, Stopped
from engine.process import causes, launch, logfile, queue, slots
from engine.record import liveness, modes, rundir
from engine.secrets import hidden

if TYPE_CHECKING:
    import torch
    from torch import nn

    from engine.data.encoding import Encoded
    from engine.lottery import Laboratory
    from engine.process.journal import RunJournal

DONE, FAILED, BAD_INPUT, STOPPED = 0, 1, 2, 130


def main(arguments: list[str]) -> int:
    """Run one run directory. Called from a terminal it starts itself in a session of its own, and waits."""
    parser = argparse.ArgumentParser(prog="python -m engine.process.worker", usage="%(prog)s RUN_DIR")
    parser.add_argument("--queued", action="store_true")
    parser.add_argument("--gpu")
    parser.add_argument("--slots", type=int, default=slots.MOST)
    parser.add_argument("--each", type=int, default=slots.MOST)
    parser.add_argument("run", type=Path)
    told = parser.parse_args(arguments)
    run = told.run.resolve()
    if not (run / "spec.json").is_file():
        print(f"RUN_DIR: {run} holds no spec.json; name a run directory, say runs/<id>.", file=sys.stderr)
        return BAD_INPUT
    if os.getsid(0) != os.getpid():
        return launch.spawn(run).wait()
    modes.guard()
    stop = _StopFlag()
    if (taken := _taken(run)) is not None:
        print(taken, file=sys.stderr)
        return DONE if told.queued else FAILED  # a dispatcher did not live to see that the run was taken up
    before = rundir.read_status(run)
    if told.queued and before["state"] != "queued":
        return DONE
    try:
        slot = slots.claim(told.slots, told.gpu, told.each)
    except slots.Taken as error:  # by an engine of another user or runs folder, a moment ago
        print(error, file=sys.stderr)
        return DONE if told.queued else FAILED
    alive = liveness.heartbeat(run)

    def beat() -> None:
        alive()
        slots.touch()

    logfile.keep(run, beat)
    if told.gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = told.gpu
    try:
        return work(run, stop, told.gpu, before if told.queued else None)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # who asks now asks too late: the code says how it ended
        if slot is not None:
            os.close(slot)
        with suppress(Exception):  # a slot is free: have a dispatcher start who waits
            queue.tend(run.parent)


def _taken(run: Path) -> str | None:
    """Take a run's lock; if another engine has it, or works though somebody took the locked file away, say so."""
    if rundir.alive(run, rundir.read_status(run)):
        return f"run {run.name} is held by another engine (process {rundir.holder(run) or 'unknown'})."
    try:
        liveness.hold(run)
    except liveness.LockHeld as error:
        return str(error)
    return None


class _StopFlag:
    """Becomes true on SIGTERM. Hang-ups and interrupts of somebody's terminal are none of the engine's business."""

    def __init__(self) -> None:
        self.asked = False
        signal.signal(signal.SIGTERM, self._ask)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _ask(self, *_: Any) -> None:
        self.asked = True


def work(run: Path, stop: _StopFlag, gpu: str | None = None, waited: dict[str, Any] | None = None) -> int:
    """The run from its lock to its last event; whatever goes wrong ends as a state and a cause in words.

    `gpu` is the only GPU that this process sees, if it was given one; `waited` the status of a run that was in the
    queue, to which it returns where the machine does not let it begin.
    """
    try:
        return _work(run, stop, gpu, waited)
    finally:
        rundir.release(run)


def _work(run: Path, stop: _StopFlag, gpu: str | None, waited: dict[str, Any] | None) -> int:
    try:
        rundir.sweep(run)
        rundir.reserve(run)
        rundir.write_status(run, _started(rundir.read_status(run), gpu), durable=True)
        from engine.process.journal import RunJournal

        journal = RunJournal(run, lambda: stop.asked)
    except Exception as error:  # noqa: BLE001  a torch that cannot be loaded, a log that cannot be written
        rundir.release(run)
        _print(error)
        cause, back = causes.of(error), waited if causes.of_the_machine(error) and not stop.asked else None
        with suppress(OSError):
            status = back or rundir.read_status(run) | {"state": "failed", "cause": cause}
            rundir.write_status(run, status, durable=True)
        if back:
            queue.stand_still(run, f"could not begin: {cause}")
        return launch.OF_THE_MACHINE if back else FAILED
    try:
        _experiment(run, journal, gpu is not None)
    except Stopped:
        rundir.release(run)
        journal.stopped()
        return STOPPED
    except BadInput as error:
        rundir.release(run)
        print(error, flush=True)
        journal.failed(str(error), bad_input=True)
        return BAD_INPUT
    except Exception as error:  # noqa: BLE001  nothing may end without a state
        rundir.release(run)
        _print(error)
        if causes.of_the_machine(error):
            queue.stand_still(run, f"failed: {causes.of(error)}", always=False)
        journal.failed(causes.of(error), bad_input=False)
        return FAILED
    return DONE


def _print(error: Exception) -> None:
    """The traceback into the log, and below it the cause."""
    print(hidden(traceback.format_exc()), file=sys.stderr, flush=True)
    print(causes.of(error), flush=True)


def _started(status: dict[str, Any], gpu: str | None) -> dict[str, Any]:
    kept = rundir.without(status, "cause", "finished", "waiting", "gpu")
    return kept | {"state": "running", "process": liveness.identity()} | ({"gpu": gpu} if gpu else {})


def _experiment(run: Path, journal: "RunJournal", placed: bool) -> None:
    """Read the spec, prepare the data, hand both to the experiment, and close with the verdict.

    `placed`: the only GPU that is seen is the one meant, whatever number it had elsewhere.
    """
    import torch

    from engine import lottery, reference, training
    from engine import spec as specs
    from engine.data import encoding
    from engine.data.batches import part
    from engine.data.split import split
    from engine.models import network

    spec = specs.of_run(run)
    # A resumed run goes on as it began, whatever this machine now offers: both change the last bits of its numbers.
    # Of a GPU it began on the number means nothing, unless the spec names it: it was the only one shown.
    began = journal.began_with.get("device", spec.device)
    wanted = spec.device if ":" in spec.device else began.partition(":")[0]
    device = _device("cuda" if placed and wanted.startswith("cuda") else wanted)
    threads = spec.threads or journal.began_with.get("threads") or _cores()
    torch.set_num_threads(threads)
    journal.started(spec, **_machine(device, threads))

    checkpoint = launch.checkpoint(spec)
    encoded = encoding.load(spec.data, journal.preparing, checkpoint=checkpoint, stop=journal.stop_asked)
    classes, words = len(encoded.class_names), encoded.vocabulary
    model = spec.model if checkpoint is None else spec.model.model_copy(update={"checkpoint": str(checkpoint)})
    template = network.build(model, words, classes)
    module = network.twin(template).to(device)
    test, everything = part(encoded.test, device), part(encoded.train, device)

    def texts(seed: int) -> training.Texts:
        train, valid = split(encoded.train.labels, seed, spec.data.valid_fraction, spec.data.train_size)
        return training.Texts(everything.take(train), everything.take(valid), test)

    def narrower(parameters: int) -> "nn.Module | None":
        return network.narrower(model, words, classes, parameters)

    if "small-dense" in spec.arms:
        narrower(2**62)  # BadInput for an architecture that cannot be narrowed, before anything is trained

    def refer(seed: int) -> None:
        labels = encoded.train.labels
        journal.refer(seed, lambda: reference.of_split(spec.data, labels, seed, journal.stop_asked))

    train, valid = split(encoded.train.labels, spec.seeds[0], spec.data.valid_fraction, spec.data.train_size)
    journal.data_ready(
        fingerprint=_fingerprint(encoded, template),
        name=encoded.name,
        classes=classes,
        class_names=list(encoded.class_names),
        train=len(train),
        valid=len(valid),
        test=len(test),
        vocabulary=len(words),
        cut=encoded.cut,
        vectors=network.covered(template),
        note="; ".join(filter(None, _notes(encoded, template))),
    )
    journal.keep_words(words)
    for remark in specs.remarks(spec):
        journal.tell("warning", message=remark)
    lab = lottery.Laboratory(spec, module, template, texts, refer, narrower)
    if spec.origin is None:
        lottery.experiment(lab, journal)
    else:
        _ask(run, lab, journal, encoded)
    journal.finished()


def _ask(run: Path, lab: "Laboratory", journal: "RunJournal", encoded: "Encoded") -> None:
    """The experiment that asks about another run's tickets, copies of which lie in the run directory."""
    from engine import stability, transfer
    from engine.data import alignment
    from engine.record import checkpoint, tickets

    origin = lab.spec.origin
    assert origin is not None

    def ticket(seed: int) -> tuple[dict[str, "torch.Tensor"], dict[str, "torch.Tensor"]]:
        try:
            weights = checkpoint.load_rewind(run, seed, tickets.ORIGIN)
            return weights, checkpoint.load_mask(run, seed, origin.round, tickets.ORIGIN)
        except checkpoint.Damaged as error:
            raise BadInput(f"run: {error}; launch the question anew.") from None

    if origin.question == "stability":
        return stability.experiment(lab, journal, ticket)
    before = tickets.words(run, tickets.ORIGIN)
    if before is None:
        raise BadInput(f"run: {run / tickets.ORIGIN} has lost its words; launch the question anew.")
    classes = tickets.origin_data(run)["class_names"]
    found = alignment.align(before, encoded.vocabulary, classes, encoded.class_names)
    if not found.whole:
        journal.tell("warning", message=alignment.remark(found, encoded.class_names))
    return transfer.experiment(lab, journal, transfer.Moving(ticket, found))


def _fingerprint(encoded: "Encoded", network_: "nn.Module") -> str:
    """A hash of all that a run begins from besides its spec: the texts, and pretrained weights or vectors."""
    from engine.models import network

    digest = blake2b(encoded.fingerprint().encode(), digest_size=16)
    for name, weight in network.pretrained(network_).items():
        digest.update(name.encode())
        digest.update(weight.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _notes(encoded: "Encoded", template: "nn.Module") -> Iterator[str]:
    """What a reader of the results should know of the data."""
    import numpy as np

    from engine.models import network

    yield encoded.note
    if encoded.cut:
        longest = max(int(np.diff(part.offsets).max()) for part in (encoded.train, encoded.test))
        yield f"{encoded.cut:,} texts longer than {longest} tokens are cut there"
    covered = network.covered(template)
    if covered is not None:
        yield f"{covered:,} of {len(encoded.vocabulary):,} words have a pretrained vector"


def _cores() -> int:
    """The cores this process may use; a container or `taskset` can allow fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _device(wanted: str) -> "torch.device":
    """The device a spec asks for, set up so that it computes what a CPU does, and the same each time. BadInput."""
    import torch

    from engine.models import device as devices

    device = devices.find(wanted)
    if device.type != "cuda":
        return device
    torch.cuda.set_device(device)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    return device


def _machine(device: "torch.device", threads: int) -> dict[str, Any]:
    """What the numbers of a run hang on besides its spec."""
    import torch

    from engine.training import GROUPING

    told: dict[str, Any] = {"device": str(device), "threads": threads, "grouping": GROUPING}
    if device.type == "cuda":
        told |= {"gpu": torch.cuda.get_device_name(device), "cuda": torch.version.cuda}
    return told


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
