"""Python and the packages that lth stands on, against what its own metadata asks for."""

import re
import shlex
from collections.abc import Mapping
from importlib import metadata

from engine.process.doctor.finding import Finding, failure, ok, warning

OLDEST = (3, 11)
_LARGE = ("torch", "transformers", "datasets", "textual")  # the ones whose versions matter most to a report


def python(version: tuple[int, int, int], program: str) -> Finding:
    """`version` as sys.version_info begins."""
    told = f"{'.'.join(map(str, version))}, {program}"
    if version[:2] < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        return failure("python", told, f"lth needs Python {wanted} or newer; make a new environment with one.")
    return ok("python", told)


def itself(running: str, installed: str | None) -> Finding:
    """The version of the code that runs, and what the environment says is installed; None where it says nothing."""
    if installed is None:
        told = f"{running}, not installed as a package, so nothing says which packages it needs"
        return warning("lth", told, "In its folder: pip install -e .")
    if installed != running:
        told = f"{running} runs, but the environment has {installed} installed"
        return warning("lth", told, "Install the one you mean: in its folder, pip install -e .")
    return ok("lth", running)


def versions(needed: list[str]) -> dict[str, str | None]:
    """What is installed of each requirement (`numpy>=2.0`) that is not of an extra; None where nothing is."""
    return {name: _installed(name) for name in map(_name, _without_extras(needed))}


def packages(needed: list[str], have: Mapping[str, str | None]) -> list[Finding]:
    """`needed` as importlib.metadata.requires gives it, `have` as `versions` does."""
    from packaging.requirements import Requirement

    found = []
    for words in _without_extras(needed):
        requirement = Requirement(words)
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        version = have.get(requirement.name)
        wanted = f"{requirement.name}{requirement.specifier}"
        install = f"pip install {shlex.quote(wanted)}"
        if version is None:
            found.append(failure("packages", f"{requirement.name} is missing", install))
        elif not requirement.specifier.contains(version, prereleases=True):
            told = f"{requirement.name} {version} is installed, and lth is made for {requirement.specifier}"
            found.append(warning("packages", told, install))
    if found:
        return found
    large = ", ".join(f"{name} {have[name]}" for name in _LARGE if have.get(name))
    return [ok("packages", f"all {len(have)} that lth needs" + (f", among them {large}" if large else ""))]


def requirements() -> list[str]:
    """What the installed lth-tui says it needs; empty where it is not installed as a package."""
    try:
        return metadata.requires("lth-tui") or []
    except metadata.PackageNotFoundError:
        return []


def _without_extras(needed: list[str]) -> list[str]:
    return [words for words in needed if "extra ==" not in words]


def _name(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    return match[0] if match else requirement


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
