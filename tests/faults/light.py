"""An engine without torch: the process, its session, signals and lock are real, and its work is to wait.

`on_path` makes it what `python -m engine.process.worker` runs: Python loads a sitecustomize.py before all else.
"""

from pathlib import Path

_CUSTOMIZE = """
import sys

if "engine.process.worker" in sys.orig_argv:
    import types

    def journal(run, stop_asked):
        import os, time
        from engine.record import rundir

        status = rundir.read_status(run)
        for epoch in range(1, {steps} + 1):
            rundir.write_status(run, status | {{"epoch": epoch, "epochs": {steps}}})
            print("epoch", epoch, flush=True)
            time.sleep(0.05)
            while {gate!r} and not os.path.exists({gate!r}) and not stop_asked():
                time.sleep(0.02)
            if stop_asked():
                break
        rundir.write_status(run, status | {{"state": "stopped" if stop_asked() else "finished"}})
        os._exit(0)

    sys.modules["engine.process.journal"] = types.ModuleType("engine.process.journal")
    sys.modules["engine.process.journal"].RunJournal = journal
"""


def on_path(folder: Path, steps: int, gate: Path | None = None) -> str:
    """A folder for PYTHONPATH, with which an engine takes so many twentieths of a second.

    With a gate it stays at its first step until that file exists, however slow the machine.
    """
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(_CUSTOMIZE.format(steps=steps, gate=gate and str(gate)))
    return str(folder)
