"""Commands that start an engine: demo, run, resume. They follow it until it is done, or let it go."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from engine import defaults
from engine.errors import BadInput
from lth_tui import output, plain


def demo(
    seeds: Annotated[int, typer.Option(help="Replicates; a verdict needs 3.")] = 3,
    json: output.Json = False,
) -> None:
    """The main job on the built-in corpus, in about two minutes."""
    from engine import spec as specs

    spec = specs.compose("cnn", "pydoc", "imp", seeds=seeds, settings=dict(defaults.DEMO))
    output.say(
        "A lottery-ticket experiment on the docstrings of Python's own library: which part of it does a paragraph\n"
        f"document? A smaller setting than `lth run -m cnn -d pydoc`: {spec.data.train_size:,} training texts, "
        f"{spec.model.embedding_dim}-d words, {spec.model.filters} filters a width.\n"  # type: ignore[attr-defined]
        "It shows what a winning ticket looks like; it does not prove one."
    )
    code = launch(spec, detach=False, json=json)
    if code == output.DONE and not json:
        output.say(
            "\nShown, not proven: the demo is small. Next:\n"
            "  lth                          the app: choose, launch, watch\n"
            "  lth run -m cnn -d pydoc      the full built-in experiment\n"
            "  lth data fetch ag_news       bring a real dataset, then: lth run -m cnn -d ag_news\n"
            "  lth show @last --json        every number of this run"
        )
    raise typer.Exit(code)


def run(
    model: Annotated[str, typer.Option("--model", "-m", metavar="NAME", help="See `lth models`.")],
    dataset: Annotated[
        str,
        typer.Option("--dataset", "-d", metavar="NAME", help="See `lth datasets`; or a csv, tsv, jsonl, parquet file."),
    ],
    schedule: Annotated[
        str, typer.Option("--schedule", "-s", metavar="NAME", help="See `lth schedules`; or a TOML file of your own.")
    ] = "imp",
    arm: output.Arms = None,
    seeds: Annotated[int, typer.Option(help="Replicates: seeds 0, 1, ...; a verdict needs 3.")] = 3,
    test_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="Texts to test on, where the dataset is a file.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any setting of the spec; listed below.")
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return once it works or waits.")] = False,
    json: output.Json = False,
) -> None:
    """Launch a run. The engine is always detached; Ctrl-C asks it to stop, a lost terminal leaves it running.

    Where every slot of this machine is taken it waits its turn: see `lth queue`.
    """
    from engine import spec as specs

    settings: dict[str, Any] = dict(specs.parse_settings(set_ or []))
    if test_file is not None:
        settings["data.test_file"] = test_file
    spec = specs.compose(model, dataset, schedule, arm, seeds, settings)
    raise typer.Exit(launch(spec, detach, json))


def resume(
    run: output.Run,
    detach: Annotated[bool, typer.Option("--detach", help="Return once it works or waits.")] = False,
    json: output.Json = False,
) -> None:
    """Go on with a run that stopped, failed or lost its engine.

    It goes on from its last checkpoint, inside a round too, to the numbers that an uninterrupted run gives.
    """
    from engine import spec as specs
    from engine.record import rundir, waiting

    found = output.find(run)
    state = rundir.state(found)
    if state == "finished":
        raise BadInput(f"run: {found.name} is finished; there is nothing to resume. `lth show {found.name}` shows it.")
    if state in rundir.ACTIVE:
        raise BadInput(f"run: {found.name} is {state}; follow it with `lth watch {found.name}`.")
    specs.of_run(found)
    if (one := waiting.of(found)) is not None and not one.ours:
        output.say(f"It waited for {one.host}; it is this machine's now.", "yellow")
    raise typer.Exit(_start(found, detach, json))


def extend(
    run: output.Run,
    seeds: Annotated[int | None, typer.Option(help="Replicates in all, those that are done among them.")] = None,
    rounds: Annotated[int | None, typer.Option(help="Pruning rounds in all, those that are done among them.")] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return once it works or waits.")] = False,
    json: output.Json = False,
) -> None:
    """Add seeds or rounds to a finished run. Nothing that is done is done again.

    The verdict is then found anew; it is another look at the data, and is counted as one.
    """
    from engine.process import extending
    from engine.record import extensions
    from lth_tui import cost

    found = output.find(run)
    before, after = extending.extend(found, seeds, rounds)
    output.say(cost.words(found.parent, after, after.trainings - before.trainings, "further training"), "bright_black")
    looks = 1 + len(extensions.read(found))
    output.say(f"Its verdict will be look {looks} at the data.", "bright_black")
    raise typer.Exit(_start(found, detach, json))


def launch(
    spec: Any,
    detach: bool,
    json: bool,
    fill: Callable[[Path], None] = lambda draft: None,
    remarks: Iterable[str] = (),
) -> int:
    """Make a run of this spec, say what is to be known of it, start its engine. `fill` as for `launch.new_run`."""
    from engine import spec as specs
    from engine.data import store
    from engine.places import runs_root
    from engine.process import slots
    from engine.process.launch import new_run
    from lth_tui import cost, tables

    slots.asked()  # BadInput before there is a run
    costs = cost.words(runs_root(), spec, spec.trainings)  # before there is a run that measured nothing yet
    try:
        with tables.words().status("Preparing", spinner="line") as status:
            made = new_run(runs_root(), spec, preparing(status), fill)
    except KeyboardInterrupt:
        output.say("Nothing was started.")
        return output.INTERRUPTED
    for remark in (*remarks, *specs.remarks(spec)):
        output.say(f"Note: {remark}.", "yellow")
    output.say(costs, "bright_black")
    if note := store.validate(spec.data).note:
        output.say(f"{spec.data.name}: {plain.line(note)}.", "bright_black")
    return _start(made, detach, json)


def preparing(status: Any) -> Callable[[str], None]:
    """Shows what a preparation is at, by rich's status."""
    from lth_tui import tables

    return lambda words: status.update(tables.text(f"Preparing: {words} (once)"))


def _start(made: Path, detach: bool, json: bool) -> int:
    """Have a run worked on in its turn and follow it to its end, or let it go. Ctrl-C at any moment ends it cleanly."""
    from engine.process import launch, queue
    from engine.record import waiting
    from lth_tui import tables
    from lth_tui.follow import counted_interrupts, follow
    from lth_tui.queue_view import before

    with counted_interrupts() as interrupts:
        try:
            queue.launch_in_turn(made)
        except launch.LaunchFailed as error:
            output.say(f"{made.name} did not start: {error}", "red")
            return output.FAILED
        finally:
            output.fold(made)
        if detach and not interrupts():
            waits = waiting.of(made) is not None
            output.out({"id": made.name, "state": "queued" if waits else "running"} if json else made.name)
            if waits:
                output.say(f"It is {before(made)}. Look with: lth queue")
            else:
                output.say(f"The engine works on its own now. Follow it: lth watch {made.name}")
            return output.DONE
        output.say(made.name, bold=True)
        state = follow(made, tables.words(), interrupts)
    return _ended(made, state, json)


def _ended(made: Path, state: str, json: bool) -> int:
    """Show what a run that we followed came to."""
    from engine.record import events, rundir, summary
    from lth_tui import one_run, tables

    output.fold(made)
    shown = summary.show(made)
    if json:
        output.out(shown)
    elif state == "finished":
        console = tables.out()
        console.print(one_run.run(shown, console.width))
    if state == "finished":
        return output.DONE
    if state == "failed":
        output.say(f"The run failed: {str(shown['cause']).rstrip('.')}.", "red")
        return output.BAD_INPUT if rundir.read_status(made).get("bad_input") else output.FAILED
    if state == "stopped" and not (made / events.FILE).exists():
        output.say(f"The run waits no more. Go on with: lth resume {made.name}", "yellow")
        return output.INTERRUPTED
    still = "is still stopping" if state in rundir.ACTIVE else f"is {state}"
    output.say(f"The run {still}; its finished rounds are kept. Go on with: lth resume {made.name}", "yellow")
    return output.FAILED if state == "orphaned" else output.INTERRUPTED


class RunCommand(TyperCommand):
    """`lth run --help` lists every path that --set takes, from the spec itself."""

    def format_epilog(self, _: Any, formatter: Any) -> None:
        from engine import spec as specs
        from lth_tui import tables

        made = tables.table("--set key", "default", "meaning")
        for path, (default, meaning) in specs.settable_anywhere().items():
            made.add_row(path, default, tables.text(meaning, tables.QUIET))
        console = tables.out()
        with console.capture() as captured:
            console.print(made)
        formatter.write("\n" + captured.get())
