"""What can be asked of a run in a dialog: what is wrong with the answer as one types, what it costs, and its start.

Knows no Textual. `check` and `start` are for a background thread: they import the spec's code and read the run's files.
"""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import TYPE_CHECKING, Any

from engine.errors import BadInput
from engine.record import extensions, summary

if TYPE_CHECKING:
    from engine.process.ask import Question as Asked

Values = dict[str, str]  # field -> what is typed there
Tell = Callable[[str], None]  # is told, in words, what takes seconds
MORE = 2  # seeds that are offered on top of those there are


@dataclass(frozen=True)
class Checked:
    """An answer looked at: what is wrong, by field, `""` for what no field is about; else what is to be known of it."""

    errors: dict[str, str]
    said: tuple[str, ...] = ()


@dataclass(frozen=True)
class Question:
    """A dialog: its fields with labels, hints and what stands there first."""

    title: str
    run: Path
    about: str
    fields: dict[str, tuple[str, str, str]]
    check: Callable[[Values], Checked]
    start: Callable[[Values, Tell], tuple[Path, Popen | None]]  # BadInput, LaunchFailed
    command: Callable[[Values], str]


def checked(question: Question, values: Values) -> Checked:
    """Look at an answer. Never raises."""
    try:
        return question.check(values)
    except BadInput as error:
        return Checked({_place(str(error), question.fields): str(error)})
    except Exception as error:  # noqa: BLE001  a thread's errors are seen by nobody
        return Checked({"": f"this could not be looked at ({type(error).__name__}: {error})"})


def started(question: Question, values: Values, tell: Tell) -> tuple[Path, Popen | None] | str:
    """The run that answers, and its engine where it was started here; or why there is none, in a sentence."""
    from engine.process import launch, slots

    try:
        slots.asked()  # BadInput before there is a run
        return question.start(values, tell)
    except BadInput as error:
        return str(error)
    except launch.LaunchFailed as error:
        return f"The engine did not start: {error}"
    except Exception as error:  # noqa: BLE001  a thread's errors are seen by nobody
        return f"Nothing could be started ({type(error).__name__}: {error})."


def _place(sentence: str, fields: dict[str, Any]) -> str:
    """The field that a sentence is about; of two the first."""
    name = sentence.partition(":")[0].removeprefix("--").partition(",")[0]
    if name == "set" or "." in name:
        name = "further"
    return name if name in fields else ""


def _whole(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise BadInput(f"{name}: {text[:40]!r} given; give a whole number.") from None


# More seeds or rounds


def extend(run: Path) -> Question:
    """Give a finished run more seeds or rounds, as totals."""
    spec = extensions.spec(run)
    seeds, rounds = len(summary.seeds_of(spec)), summary.rounds_of(spec) or 0
    have = {"seeds": seeds, "rounds": rounds}

    def totals(values: Values) -> dict[str, int]:
        return {name: _whole(name, values[name]) for name in have}

    def check(values: Values) -> Checked:
        from engine import spec as specs
        from engine.process import extending
        from lth_tui import cost

        wanted = totals(values)
        before = specs.of_run(run)
        every = extending.extended(run, before, **wanted)
        schedule = before.schedule.model_dump(mode="json") | {"rounds": wanted["rounds"]}
        after = specs.changed(before, seeds=every, schedule=schedule)
        costs = cost.words(run.parent, after, after.trainings - before.trainings, "further training")
        look = f"Its verdict will be look {len(extensions.read(run)) + 2} at the data."
        return Checked({}, (costs, look))

    def start(values: Values, tell: Tell) -> tuple[Path, Popen | None]:
        from engine.process import extending

        tell("making sure of its texts")
        extending.extend(run, **totals(values))
        return run, _begun(run, tell)

    def command(values: Values) -> str:
        changed = [name for name in have if values[name].strip() != str(have[name])]
        return _line("extend", run, *(word for name in changed for word in (f"--{name}", values[name].strip())))

    fields = {
        "seeds": ("seeds", f"replicates in all; it has {seeds}", str(seeds + MORE)),
        "rounds": ("rounds", f"pruning rounds in all; it has {rounds}", str(rounds)),
    }
    about = "Nothing that is done is done again. The verdict is found anew: another look at the data, counted as one."
    return Question("Extend", run, about, fields, check, start, command)


# A ticket on other data


def transfer(run: Path, number: int | None) -> Question:
    """Train the ticket of a round on another dataset."""

    def settings(values: Values) -> dict[str, Any]:
        from engine import spec as specs

        try:
            return dict(specs.parse_settings(shlex.split(values["further"])))
        except ValueError as error:
            raise BadInput(f"--set: {str(error).removeprefix('--set: ')}") from None

    def check(values: Values) -> Checked:
        from engine import spec as specs
        from engine.process import ask
        from lth_tui import cost

        before = ask.source_spec(run, "transfer")
        if (chosen := _whole("round", values["round"])) == 0:
            raise BadInput("round: 0 given, which is the dense network; give the round of a ticket, from 1 on.")
        seeds, remarks = ask.seeds_of_source(run, before, chosen)
        if not (dataset := values["dataset"].strip()):
            raise BadInput("dataset: none given; choose one, or give a csv, tsv, jsonl or parquet file.")
        given = settings(values)
        ask.refuse_unsettable("transfer", given)
        usual = specs.compose(before.model.name, dataset, "imp", list(ask.ARMS), seeds, given)
        spec = specs.changed(usual, schedule=usual.schedule.model_dump(mode="json") | {"rounds": 1})
        return Checked({}, (cost.words(run.parent, spec, spec.trainings), *map(_sentence, remarks)))

    def start(values: Values, tell: Tell) -> tuple[Path, Popen | None]:
        from engine.process import ask

        chosen = _whole("round", values["round"])
        return _new(
            run.parent, ask.transfer(run, chosen, values["dataset"].strip(), None, settings(values), tell), tell
        )

    def command(values: Values) -> str:
        with_ = [word for pair in values["further"].split() for word in ("--set", pair)]
        return _line("transfer", run, "--round", values["round"].strip(), "-d", values["dataset"].strip(), *with_)

    fields = {
        "round": ("round", "of the ticket", str(number or 1)),
        "dataset": ("dataset", "one of these, or a csv, tsv, jsonl or parquet file", ""),
        "further": ("further", "key=value: data.*, training.*, verdict.*", ""),
    }
    about = (
        "Weights and mask are carried over by word; a head for other classes is new. It is trained as is usual there."
    )
    return Question("Transfer a ticket", run, about, fields, check, start, command)


# Two copies and the line between them


def stability(run: Path, number: int | None) -> Question:
    """Do two trainings in other data order end in one valley?"""

    def asked(values: Values) -> "Asked":
        from engine.process import ask

        return ask.stability(run, _whole("round", values["round"]), _whole("points", values["points"]))

    def check(values: Values) -> Checked:
        from lth_tui import cost

        found = asked(values)
        return Checked({}, (cost.words(run.parent, found.spec, found.spec.trainings), *map(_sentence, found.remarks)))

    def start(values: Values, tell: Tell) -> tuple[Path, Popen | None]:
        return _new(run.parent, asked(values), tell)

    def command(values: Values) -> str:
        points = values["points"].strip()
        return _line(
            "stability", run, "--round", values["round"].strip(), *(() if points == "11" else ("--points", points))
        )

    fields = {
        "round": ("round", "of the ticket; 0 asks of the dense network alone", str(number or 0)),
        "points": ("points", "networks looked at along the line, its ends among them", "11"),
    }
    about = (
        "Two copies are trained in other data orders: how far does the validation error rise on the line between them?"
    )
    return Question("Stability", run, about, fields, check, start, command)


def _sentence(remark: str) -> str:
    return f"Note: {remark}."


def _line(name: str, run: Path, *words: str) -> str:
    return shlex.join(["lth", name, run.name, *words])


def _new(runs: Path, asked: "Asked", tell: Tell) -> tuple[Path, Popen | None]:
    from engine.process import launch

    run = launch.new_run(runs, asked.spec, tell, asked.fill)
    return run, _begun(run, tell)


def _begun(run: Path, tell: Tell) -> Popen | None:
    """Have a run worked on in its turn."""
    from engine.process import queue
    from engine.record import history

    tell("starting the engine")
    try:
        return queue.launch_in_turn(run)
    finally:
        history.fold(run.parent, run)
