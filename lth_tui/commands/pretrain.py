"""The command that pretrains a small BERT on a dataset's own training texts."""

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.errors import Stopped, unknown
from lth_tui import output, plain

if TYPE_CHECKING:
    from engine.models.pretraining import Epoch, Listener, Plan

_COLUMNS = ("data.text_column", "data.label_column")


def pretrain(
    dataset: Annotated[
        str,
        typer.Option("--dataset", "-d", metavar="NAME", help="See `lth datasets`; or a csv, tsv, jsonl, parquet file."),
    ],
    model: Annotated[str, typer.Option("--model", "-m", metavar="NAME", help="bert-tiny or bert-mini.")] = "bert-tiny",
    vocab: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A vocab.txt to use, such as BERT's.  [default: trained here]")
    ] = None,
    vocabulary_size: Annotated[int, typer.Option(help="Pieces of a vocabulary that is trained here.")] = 8000,
    epochs: Annotated[int, typer.Option(help="Passes over the training texts.")] = 5,
    batch_size: Annotated[int, typer.Option(help="Blocks of text a step.")] = 16,
    learning_rate: Annotated[float, typer.Option(help="The highest, after the warm-up.")] = 2e-3,
    max_tokens: Annotated[int, typer.Option(help="Pieces a block; a longer text gives several.")] = 128,
    seed: Annotated[int, typer.Option(help="Of weights, order and masks.")] = 0,
    device: Annotated[str, typer.Option(help="auto takes a GPU where there is one; or cpu, cuda, cuda:1.")] = "auto",
    threads: Annotated[int | None, typer.Option(help="CPU threads.  [default: all cores]")] = None,
    folder: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FOLDER", help="Where to.  [default: where run looks]")
    ] = None,
    test_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="As for `lth run`: its texts are for testing, and not read here.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help=f"Of a file: {' or '.join(_COLUMNS)}.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Do it again where it is finished.")] = False,
    json: output.Json = False,
) -> None:
    """Pretrain a small BERT on a dataset's training texts.

    By masked language modelling; labels and test texts are not looked at. `lth run -m bert-tiny` then begins from it.
    Ctrl-C stops; finished epochs are kept, and the same command goes on.
    """
    # Before torch is imported: threads that wait by spinning take the cores from those that work.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from engine import spec as specs
    from engine.models import pretraining, wordpiece

    settings: dict[str, Any] = dict(specs.parse_settings(set_ or []))
    if strange := next((key for key in settings if key not in _COLUMNS), None):
        raise unknown("--set", strange, _COLUMNS)
    if test_file is not None:
        settings["data.test_file"] = test_file
    spec = specs.compose("cnn", dataset, settings={**settings, "device": device, "threads": threads})
    plan = pretraining.Plan(
        model=model,
        pieces=None if vocab is None else tuple(wordpiece.read(vocab.expanduser())),
        vocabulary_size=vocabulary_size,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        max_tokens=max_tokens,
        seed=seed,
        device=spec.device,
        threads=spec.threads,
    )
    made = _followed(spec.data, plan, folder and folder.expanduser(), force)
    if json:
        return output.out(made)
    output.say(f"The network is in {made['folder']}.")
    if folder is None:
        words = ["lth", "run", "-m", model, "-d", dataset, *(["--test-file", test_file] if test_file else [])]
        words += [word for line in set_ or [] for word in ("--set", line)]
        output.say(f"Use it with: {plain.line(shlex.join(words), 1000)}")
    else:
        output.say(f"Use it with: lth run -m bert -d {plain.line(dataset)} --set model.checkpoint={made['folder']}")
    return None


def _followed(data: Any, plan: "Plan", folder: Path | None, force: bool) -> dict[str, Any]:
    """Pretrain, showing how far it is. Ctrl-C ends it, saying what is kept."""
    from engine.models import pretraining
    from lth_tui.follow import counted_interrupts

    with counted_interrupts() as interrupts:
        try:
            with _display(plan) as listener:
                stoppable = replace(listener, stop=lambda: interrupts() > 0)
                return pretraining.pretrain(data, plan, folder, force, stoppable)
        except Stopped as stopped:
            kept = stopped.args[0] if stopped.args else 0
    words = f"Interrupted; {kept} of {plan.epochs} epochs kept, and the same command goes on from there."
    output.say(words if kept else "Interrupted before the first epoch was finished; nothing is kept.", "yellow")
    raise typer.Exit(output.INTERRUPTED)


def _told(epoch: "Epoch", plan: "Plan") -> str:
    from lth_tui.tables import duration

    return (
        f"epoch {epoch.epoch} of {plan.epochs}: loss {epoch.loss:.3f}, on texts held out {epoch.held_out_loss:.3f} "
        f"({100 * epoch.held_out_accuracy:.1f} % of the masked pieces guessed right), {duration(epoch.seconds)}"
    )


@contextmanager
def _display(plan: "Plan") -> Iterator["Listener"]:
    """A bar over all epochs in a terminal; without one, a line where something is finished."""
    from engine.models.pretraining import Listener

    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield Listener(output.say, output.say, on_epoch=lambda epoch: output.say(_told(epoch, plan)))
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from lth_tui import tables

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[loss]}", style=tables.QUIET),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=tables.words(), speed_estimate_period=120, transient=True) as progress:
        bar = progress.add_task("Preparing", total=None, loss="")

        def say(words: str) -> None:
            progress.update(bar, description=f"Preparing: {plain.line(words)}")

        def tell(sentence: str) -> None:
            progress.console.print(tables.text(sentence))

        def on_step(epoch: int, step: int, steps: int, loss: float | None) -> None:
            shown = {} if loss is None else {"loss": f"loss {loss:.2f}"}
            done, total = (epoch - 1) * steps + step, plan.epochs * steps
            if progress.tasks[0].total is None:  # so that what was done before does not count as fast
                progress.reset(bar, total=total, completed=done)
            progress.update(bar, description=f"epoch {epoch}/{plan.epochs}", completed=done, **shown)

        def on_epoch(epoch: "Epoch") -> None:
            tell(_told(epoch, plan))

        yield Listener(say, tell, on_step, on_epoch)
