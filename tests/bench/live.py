"""Engines that only tell: `python -m tests.bench.live RUNS COUNT` makes runs, holds their locks, and streams events.

Each run tells an event every 100 ms, and its status with it, as a fast engine would, until the process is killed.
`--still` tells nothing more after the first.
"""

import random
import sys
import time
from pathlib import Path

from engine.record import liveness, rundir
from engine.record.events import EventLog

EVERY = 0.1  # seconds between two events of a run
EPOCHS, ROUNDS, ARMS = 50, 10, ("ticket", "reinit", "shuffle")


class Told:
    """One run and where its engine stands."""

    def __init__(self, runs: Path, number: int) -> None:
        from engine import spec as specs

        settings = {"training.epochs": EPOCHS, "schedule.rounds": ROUNDS}
        spec = specs.dump(specs.compose("cnn", "ag_news", settings=settings))
        self.run = rundir.create(runs, spec, "cnn", f"ag_news-{number}", "imp")
        liveness.hold(self.run)
        self.log, self.step, self.chance = EventLog(self.run), 0, random.Random(number)
        self.log.append("run_started", device="cpu", threads=1, grouping="one", versions={})
        self.log.append("data_ready", name="ag_news", classes=4, train=30000, valid=3000, test=7600)
        self.tell()

    def tell(self) -> None:
        """One more epoch; at the end of a training, what it came to."""
        training, epoch = divmod(self.step, EPOCHS)
        number, arm = (0, "dense") if training == 0 else divmod(training - 1 + len(ARMS), len(ARMS))
        arm = "dense" if training == 0 else ARMS[int(arm)]
        where = {"seed": 0, "round": number % (ROUNDS + 1), "arm": arm}
        sparsity = 1 - 0.8 ** where["round"]
        accuracy = 0.5 + 0.4 * (1 - 0.9 ** (epoch + 1)) + self.chance.uniform(-0.01, 0.01)
        self.log.append(
            "epoch",
            **where,
            epoch=epoch + 1,
            epochs=EPOCHS,
            sparsity=sparsity,
            train_loss=1 - accuracy,
            valid_loss=1 - accuracy,
            valid_accuracy=accuracy,
        )
        if epoch + 1 == EPOCHS:
            self.log.append(
                "trained", **where, sparsity=sparsity, test_accuracy=accuracy, seconds=5.0, best_epoch=epoch
            )
        self.step += 1
        trainings = 1 + ROUNDS * len(ARMS)
        done = min(self.step / (EPOCHS * trainings), 1.0)
        progress = {
            "trainings": trainings,
            "trainings_done": training,
            "fraction": done,
            "seconds_left": 600 * (1 - done),
        }
        status = {"state": "running", "process": rundir.identity(), "epoch": epoch + 1, "epochs": EPOCHS}
        rundir.write_status(self.run, status | where | {"progress": progress, "started": time.time()})


class Hand:
    """Tells for an engine that is still what it would, one event at a time."""

    def __init__(self, run: Path) -> None:
        self.run, self.log, self._epoch = run, EventLog(run), 0

    def trained(self, number: int, arm: str, accuracy: float) -> None:
        """A training's end, in round `number`."""
        told = {"seed": 0, "round": number, "arm": arm, "sparsity": 1 - 0.8**number}
        self.log.append("trained", **told, test_accuracy=accuracy, seconds=1.0, best_epoch=1)

    def epoch(self, number: int, arm: str, epoch: int | None = None) -> int:
        """An epoch's end, and the status that goes with it; the next one unless it is said which. Which it was."""
        self._epoch = epoch or self._epoch + 1
        where = {"seed": 0, "round": number, "arm": arm}
        accuracy = 0.5 + 0.4 * (1 - 0.9**self._epoch)
        told = {"train_loss": 1 - accuracy, "valid_loss": 1 - accuracy, "valid_accuracy": accuracy}
        at = {"epoch": self._epoch, "epochs": EPOCHS}
        self.log.append("epoch", **where, **at, sparsity=1 - 0.8**number, **told)
        status = rundir.read_status(self.run)
        done = status["progress"]["fraction"] + 1 / (EPOCHS * (1 + ROUNDS * len(ARMS)))
        status["progress"] |= {"fraction": done, "seconds_left": 600 * (1 - done)}
        rundir.write_status(self.run, status | where | at)
        return self._epoch


def main(runs: Path, count: int, still: bool) -> None:
    told = [Told(runs, number) for number in range(count)]
    print(*(one.run.name for one in told), flush=True)
    while True:
        began = time.monotonic()
        for one in () if still else told:
            one.tell()
        time.sleep(max(0.0, EVERY - (time.monotonic() - began)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), "--still" in sys.argv)
