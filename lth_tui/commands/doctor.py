"""The command that examines this machine: lth doctor."""

import os
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, TextIO

import typer

from lth_tui import output

if TYPE_CHECKING:
    from rich.console import RenderableType

    from engine.process.doctor.finding import Finding

_SIGNS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failure": ("✗", "red")}


def doctor(json: output.Json = False) -> None:
    """What this machine can do, and what would go wrong.

    Each line is ok, a warning or a failure, with what to do. It fails if there is a failure.
    """
    from engine.process.doctor.examination import examine
    from lth_tui import tables

    console, words = tables.out(), tables.words()
    found: list[Finding] = []
    stdout = sys.stdout  # as it is now: while something is being waited for, rich puts another in its place
    findings = examine([("terminal", lambda: _terminal(stdout))])
    while True:
        with words.status("Examining", spinner="line"):  # ended before a line is printed, else they would mix
            finding = next(findings, None)
        if finding is None:
            break
        found.append(finding)
        if not json:
            console.print(_shown(finding))
    failures, warnings = (sum(one.status == status for one in found) for status in ("failure", "warning"))
    if json:
        output.out({"ok": not failures, "findings": [asdict(one) for one in map(_writable, found)]} | _also())
    else:
        colour = "red" if failures else "yellow" if warnings else "green"
        output.say(f"{tables.count(failures, 'failure')}, {tables.count(warnings, 'warning')}.", colour)
    raise typer.Exit(output.FAILED if failures else output.DONE)


def _writable(finding: "Finding") -> "Finding":
    """The same, where a path in it may hold bytes that JSON cannot."""
    return replace(finding, told=_unicode(finding.told), advice=finding.advice and _unicode(finding.advice))


def _unicode(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()


def _shown(finding: "Finding") -> "RenderableType":
    """Name, sign with its word, what is told; and under it, quieter, what to do."""
    from rich.table import Table
    from rich.text import Text

    from lth_tui import tables

    sign, colour = _SIGNS[finding.status]
    row = Table.grid(padding=(0, 1))
    row.add_column(width=12, no_wrap=True)
    row.add_column(width=9, no_wrap=True)
    row.add_column(overflow="fold")
    told = tables.text(finding.told)
    if finding.advice:
        told = Text("\n").join([told, tables.text(f"→ {finding.advice}", tables.QUIET)])
    row.add_row(tables.text(finding.name, "bold"), Text(f"{sign} {finding.status}", colour), told)
    return row


def _terminal(stdout: TextIO) -> "list[Finding]":
    from lth_tui import terminal

    size = shutil.get_terminal_size()
    tmux = _tmux() if os.environ.get("TMUX") else None
    return terminal.findings(
        os.environ, stdout.isatty(), (size.columns, size.lines), stdout.encoding or "unknown", tmux
    )


def _tmux() -> str | None:
    """What the tmux around us has set of its clipboard, a line an option; None where it does not say."""
    ask = ["tmux", "show-options", "-gA", "set-clipboard", ";", "show-options", "-gwA", "allow-passthrough"]
    try:
        return subprocess.run(ask, check=False, capture_output=True, text=True, timeout=5).stdout
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None


def _also() -> dict[str, object]:
    """The folders, and the versions of what is installed, for reports."""
    from engine import places
    from engine.process.doctor import software

    cache = places.cache_root()
    return {
        "folders": {
            "runs": _unicode(str(places.runs_root())),
            "data": _unicode(str(places.data_root())),
            "cache": None if cache is None else _unicode(str(cache)),
        },
        "versions": software.versions(software.requirements()),
    }
