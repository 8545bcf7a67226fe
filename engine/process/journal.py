"""The engine's side of a run directory: findings become events, a status, tickets and checkpoints."""

import platform
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from engine import reference, stats
from engine.errors import BadInput, Stopped
from engine.halfway import Bookmark, Halfway
from engine.lottery import Dense, Standing, Track
from engine.process import dense_round
from engine.process.bookmark import RunBookmark
from engine.pruning.mask import Weights
from engine.randomness import NUMBERS
from engine.record import barriers, checkpoint, events, extensions, liveness, rundir, shared, summary, tickets
from engine.secrets import hidden
from engine.spec import RunSpec

_DURABLE = {
    *("run_started", "run_resumed", "data_ready", "round_finished", "stability"),
    *("run_finished", "run_failed", "run_stopped"),
}


class RunJournal:
    """Writes what the experiment tells; holds the open event log and the status. See stability.Journal."""

    def __init__(self, run: Path, stop_asked: Callable[[], bool]):
        self.run = run
        before = events.read(run / events.FILE).events
        self.began_with = next((e for e in before if e["event"] == "run_started"), {})
        self.began_on = next((e for e in before if e["event"] == "data_ready"), {})
        snapshot = summary.fold(None, before)
        self.linear = snapshot.references  # seed -> its event
        self.ends = _ends(snapshot)
        self.pairs = set(snapshot.stability)  # (seed, arm): the copies that an earlier engine compared
        self.warned = set(snapshot.warnings)  # by earlier engines; what they did is done again after a kill
        self.rounds = {(e["seed"], e["round"]) for e in before if e["event"] == "round_finished"}
        self.log = events.EventLog(run)
        self.status = rundir.read_status(run)
        self.stop_asked = self._stop_asked(stop_asked)
        self.spec: RunSpec | None = None
        self.machine: dict[str, Any] = {}
        self.versions: dict[str, str] = {}
        self.fingerprint = ""  # of the data
        self.bookmarks: dict[tuple[int, int], RunBookmark] = {}  # (seed, copy): those of the round at hand
        self.recalled: set[int] = set()  # seeds whose dense round an earlier run trained
        self.began = time.time()
        self.trainings_done = 0
        self.epochs_trained = 0  # by this engine, since `began`

    def _stop_asked(self, asked: Callable[[], bool]) -> Callable[[], bool]:
        def stop_asked() -> bool:
            if asked() and self.status.get("state") == "running":
                self._update(state="stopping", durable=True)
            return asked()

        return stop_asked

    def tell(self, event: str, **fields: Any) -> None:
        """Append one event and fold it into the status. A warning that an earlier engine gave is not given again."""
        if event == "warning" and fields["message"] in self.warned:
            return
        self.log.append(event, durable=event in _DURABLE, **fields)
        print(_log_line(event, fields), flush=True)
        if event == "round_started":
            self._update(seed=fields["seed"], round=fields["round"], arm=fields["arms"][0], epoch=0)
        elif event == "epoch":
            self.epochs_trained += fields["round"] > 0 or fields["seed"] not in self.recalled
            progress = self._progress(fields["epoch"] / fields["epochs"])
            self._update(arm=fields["arm"], epoch=fields["epoch"], doing="training", progress=progress)
        elif event == "trained":
            self.trainings_done += 1
            self._update(progress=self._progress())
            if fields["arm"] == "dense":
                self._compare(fields["seed"], fields.get("test_accuracy"))
        elif event == "stability":
            self._forget_bookmarks()
            self._update(best=stats.best(summary.show(self.run)["rounds"], self._spec.verdict.margin))
        elif event == "warning":
            self._update(warnings=self.status.get("warnings", 0) + 1)

    def started(self, spec: RunSpec, **machine: Any) -> None:
        """The run begins, or goes on."""
        self.spec, self.machine = spec, machine
        versions = {name: version(name) for name in ("torch", "torchtext", "transformers", "numpy")}
        versions |= {"python": platform.python_version(), "platform": sys.platform}
        self.versions = versions
        self.tell("run_resumed" if self.began_with else "run_started", versions=versions, numbers=NUMBERS, **machine)
        if self.began_with and self.began_with.get("numbers", 1) != NUMBERS:
            words = "this run was begun by a version of lth whose trainings come to other numbers"
            self.tell("warning", message=f"{words}; its rounds from here on are not comparable with those before")
        for name, then in (self.began_with.get("versions") or {}).items():
            if versions.get(name) != then:
                words = f"resumed with {name} {versions.get(name)}, begun with {then}"
                self.tell("warning", message=f"{words}: numbers may differ in their last bits")
        began = self.status.get("started", self.began)
        kind = str(machine["device"]).partition(":")[0]
        self._update(started=began, device=kind, epochs=spec.training.epochs, doing="preparing the data", durable=True)

    def data_ready(self, fingerprint: str, **about: Any) -> None:
        """The data stand ready. BadInput where a resumed run would meet other data than it began with.

        Where the tickets of another run are asked about on its own data, those must be what it was trained on.
        """
        began, since = self.began_on.get("fingerprint", fingerprint), "this run"
        origin = self._spec.origin
        if began == fingerprint and origin is not None and origin.question == "stability":
            began, since = tickets.origin_data(self.run)["fingerprint"], origin.run
        if began != fingerprint:
            words = f"dataset: {about['name']} has changed since {since} began"
            raise BadInput(f"{words}; bring the old one back, or start a new run.")
        self.fingerprint = fingerprint
        self.tell("data_ready", fingerprint=fingerprint, **about)

    def keep_words(self, words: Sequence[str]) -> None:
        """The words that the rows of the tickets' embedding stand for."""
        tickets.write_words(self.run, words)

    def preparing(self, words: str) -> None:
        """What the preparation of the data is at."""
        self._update(doing=words)

    def refer(self, seed: int, find: Callable[[], reference.Reference]) -> None:
        """Tell the linear reference of a seed, unless it has been told. That it cannot be found costs a warning."""
        if seed in self.linear:
            return
        self._forget_where()
        self._update(doing=f"linear reference, seed {seed}")
        try:
            found = find()
        except Stopped:
            raise
        except Exception as error:  # noqa: BLE001  the run is about networks, and can do without
            said = hidden(str(error)).strip().partition("\n")[0] or type(error).__name__
            self.tell("warning", seed=seed, message=f"no linear reference for seed {seed}: {said}")
            return
        self.linear[seed] = {
            "linear_test_accuracy": found.test_accuracy,
            "linear_test_macro_f1": found.test_macro_f1,
            "linear_valid_accuracy": found.valid_accuracy,
            "strength": found.strength,
            "texts": found.texts,
            "of": found.of,
            "seconds": found.seconds,
        }
        self.tell("reference", seed=seed, **self.linear[seed])

    def _compare(self, seed: int, dense: float | None) -> None:
        """Warn of a dense network that is too far below its linear reference."""
        told = self.linear.get(seed, {}).get("linear_test_accuracy")
        if words := reference.shortfall(seed, dense, told):
            self.tell("warning", seed=seed, round=0, message=words)

    def ended(self, seed: int) -> bool:
        """Whether this seed has ended before its last round: its dense network or its ticket diverged."""
        return seed in self.ends

    def standing(self, seed: int) -> Standing | None:
        """Where an earlier engine left this seed; a damaged checkpoint is told and the one before it counts."""

        def tell(trouble: str) -> None:
            self.tell("warning", seed=seed, message=f"seed {seed} goes on from the checkpoint before: {trouble}")

        try:
            found = checkpoint.load_standing(self.run, seed, tell)
        except checkpoint.Damaged as error:
            self.tell("warning", seed=seed, message=f"seed {seed} begins again: {error}")
            return None
        if found is None:
            return None
        number, tracks = found
        if (seed, number) not in self.rounds:  # the engine before was killed between the checkpoint and its event
            self._round_finished(seed, number)
        self.trainings_done += 1 + number * len(self._spec.arms)
        self._update(progress=self._progress())
        return Standing(number, {arm: Track(*track) for arm, track in tracks.items()})

    def bookmark(self, seed: int, number: int, copy: int = 0) -> Bookmark:
        """Where the networks of a round are kept while they train."""
        self.bookmarks[seed, copy] = RunBookmark(self.run, seed, number, copy, self.tell, self.log.sync, self._taken_up)
        return self.bookmarks[seed, copy]

    def _taken_up(self, halfway: Halfway) -> None:
        facts = halfway.facts
        self.trainings_done += len(facts["done"])
        share = len(facts["epochs"]) / facts["plan"]["epochs"]
        self._update(arm=facts["arm"], epoch=len(facts["epochs"]), progress=self._progress(share))

    def _forget_bookmarks(self) -> None:
        for bookmark in self.bookmarks.values():
            bookmark.drop()
        self.bookmarks.clear()

    def compared(self, seed: int, arm: str) -> bool:
        """Whether an earlier engine compared the copies of this network; they then count as trained."""
        done = (seed, arm) in self.pairs
        if done:
            self.trainings_done += 2
            self._update(progress=self._progress())
        return done

    def rewound(self, seed: int) -> Weights | None:
        """The weights of the rewind point that an earlier engine kept; damaged ones are told."""
        try:
            return checkpoint.load_rewind(self.run, seed)
        except checkpoint.Damaged as error:
            self.tell("warning", seed=seed, message=f"seed {seed} begins again: {error}")
            return None

    def recall(self, seed: int, step: int | None) -> Dense | None:
        """The dense round of this seed that an earlier run trained, with the weights it passed at `step`, if it did."""
        try:
            entry = shared.find(shared.key(self._dense_part(seed)))
            weights = shared.load(entry) if entry else None
            if entry is None or weights is None:
                return None
            passed = shared.load(entry, step) if step else None
            if step and passed is None and self.machine.get("device") != "cpu":
                return None  # only a CPU would come by that step again on the very same way
            self.recalled.add(seed)
            return dense_round.of(entry.told, entry.run, weights, passed)
        except shared.Damaged as error:
            self.tell("warning", seed=seed, message=str(error))
            return None

    def share(self, seed: int, step: int | None, dense: Dense) -> None:
        """Keep a dense round for later runs; that it cannot be kept costs a warning."""
        parts, passed, told = self._dense_part(seed), dense.trained.passed, dense_round.told(dense)
        if told is None:
            return
        at = {step: passed} if step and passed is not None else {}
        words = shared.save(shared.key(parts), parts, told, dense.trained.weights, at, dense.run or self.run.name)
        if words:
            self.tell("warning", message=words)

    def _dense_part(self, seed: int) -> dict[str, Any]:
        """Everything that the numbers of a dense round hang on."""
        spec = self._spec.model_dump(mode="json")
        data = {name: spec["data"][name] for name in ("valid_fraction", "train_size")}
        return {
            "model": spec["model"],
            "data": {"name": spec["data"]["name"], "fingerprint": self.fingerprint, **data},
            "training": spec["training"],
            "seed": seed,
            "numbers": NUMBERS,
            "versions": self.versions,
            "machine": self.machine,
            "host": liveness.identity()["host"],
        }

    def keep_rewind(self, seed: int, weights: Weights) -> None:
        """The weights that this seed's tickets start from."""
        checkpoint.save_rewind(self.run, seed, weights)

    def keep_round(self, seed: int, standing: Standing) -> None:
        """Mask, checkpoint, and only then the events that say so: what a reader was told no kill takes back."""
        checkpoint.save_mask(self.run, seed, standing.number, standing.mask)
        tracks = {arm: (track.mask, track.trained) for arm, track in standing.tracks.items()}
        self.log.sync()  # the numbers of the round, which nobody will train again once its checkpoint is there
        checkpoint.save_standing(self.run, seed, standing.number, tracks)
        self._round_finished(seed, standing.number)
        self._forget_bookmarks()
        self._update(best=stats.best(summary.show(self.run)["rounds"], self._spec.verdict.margin))

    def _round_finished(self, seed: int, number: int) -> None:
        self.tell("checkpoint", seed=seed, round=number)
        self.tell("round_finished", seed=seed, round=number)

    def finished(self) -> None:
        """Close with the verdict, computed from the events as every reader will see them.

        Where another question was asked it is no more than the sentence that answers it.
        """
        shown = summary.show(self.run)
        if shown["stability"] is not None:
            verdict: dict[str, Any] = {"winning_ticket": None, "sentence": barriers.sentence(shown["stability"])}
        else:
            looks, margin = 1 + len(extensions.read(self.run)), self._spec.verdict.margin
            verdict = stats.verdict(shown["seeds"], shown["rounds"], self._spec.arms, margin, looks)
        self.tell("run_finished", verdict=verdict, reference=shown["reference"])
        self.status["progress"] = self.status.get("progress", {}) | {"fraction": 1.0, "seconds_left": 0.0}
        self._end("finished", sentence=verdict["sentence"], winning_ticket=verdict["winning_ticket"])

    def stopped(self) -> None:
        """Somebody asked; what is finished stays, and `lth resume` goes on from it."""
        self._last("stopped")

    def failed(self, cause: str, bad_input: bool) -> None:
        """The run ends for this cause, in words."""
        self._last("failed", cause, bad_input=bad_input)

    @property
    def _spec(self) -> RunSpec:
        assert self.spec is not None, "started() comes first"
        return self.spec

    def _end(self, state: str, **fields: Any) -> None:
        self._forget_where()
        self._update(state=state, finished=time.time(), durable=True, **fields)

    def _last(self, state: str, cause: str | None = None, **fields: Any) -> None:
        """State and cause go to the status first: a disk too full for another event may still take those."""
        told = {} if cause is None else {"cause": cause}
        try:
            self._end(state, **told, **fields)
            self.tell(f"run_{state}", **told)
        except OSError as error:  # what failed the run can fail these too; without a status it shows as orphaned
            print(f"{cause or state}; nor could this be written: {error}", flush=True)

    def _forget_where(self) -> None:
        for key in ("doing", "seed", "round", "arm", "epoch"):
            self.status.pop(key, None)

    def _progress(self, current: float = 0.0) -> dict[str, Any]:
        """Share of all trainings done, `current` of the present one, and the time left at this engine's pace."""
        trainings = self._spec.trainings
        done = self.trainings_done + current
        left = None
        if self.epochs_trained:
            pace = (time.time() - self.began) / self.epochs_trained
            left = pace * self._spec.training.epochs * (trainings - done)
        return {
            "trainings": trainings,
            "trainings_done": self.trainings_done,
            "fraction": done / trainings,
            "seconds_left": left,
        }

    def _update(self, durable: bool = False, **fields: Any) -> None:
        self.status |= fields | {"updated": time.time()}
        rundir.write_status(self.run, self.status, durable=durable)


def _ends(snapshot: summary.Snapshot) -> set[int]:
    """The seeds that end before their last round: the dense network or the ticket diverged, and its round was done."""

    def done(seed: int, number: int) -> bool:
        arms = snapshot.rounds.get((seed, number), {}).get("arms") or []
        return all((seed, number, arm) in snapshot.trained for arm in arms)

    lead = ("dense", "ticket")
    diverged = [key for key, event in snapshot.trained.items() if key[2] in lead and event.get("diverged")]
    return {seed for seed, number, _ in diverged if done(seed, number)}


def _log_line(event: str, fields: dict[str, Any]) -> str:
    """An event as engine.log has it: `13:14:26 epoch seed=0 round=1 arm=ticket ... valid_accuracy=0.9134`."""
    told = {name: f"{value:.4g}" if isinstance(value, float) else value for name, value in fields.items()}
    words = [f"{name}={value}" for name, value in told.items() if isinstance(value, str | int)]
    return " ".join([time.strftime("%H:%M:%S"), event, *words])
