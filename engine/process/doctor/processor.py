"""Cores and memory: what the machine has, and what this process is allowed of it."""

import os
from collections.abc import Mapping
from pathlib import Path

from engine.process.doctor.finding import Finding, ok, size, warning

_LITTLE = 2 << 30  # bytes; an engine that trains a CNN on AG News takes about one GiB, BERT several
_UNLIMITED = 1 << 60  # the first version of cgroups says "no limit" with a number near 2^63


def cores(allowed: int, installed: int, quota: float | None) -> Finding:
    """`allowed` by affinity (`taskset`, a container) of those installed; `quota` in cores, by cgroup, None without."""
    told = f"{allowed} of {installed}" if allowed < installed else f"{allowed}"
    if quota is not None and quota < allowed:
        told += f", but the container grants the time of {quota:g}"
        threads = max(1, int(quota))
        return warning("cores", told, f"Threads would wait for each other: run with --set threads={threads}.")
    return ok("cores", told)


def threads(environment: Mapping[str, str], allowed: int) -> list[Finding]:
    """OMP_NUM_THREADS where it is set to what helps nobody."""
    given = environment.get("OMP_NUM_THREADS")
    if given is None:
        return []
    told, advice = f"OMP_NUM_THREADS is {given!r}", "Unset it, or set threads of a run: --set threads=N."
    # OpenMP takes a list, a number for each level of nesting.
    first = given.split(",")[0].strip()
    if not (first.isascii() and first.isdigit() and int(first)):
        return [warning("cores", f"{told}, which is no number of threads", advice)]
    if int(first) > allowed:
        return [warning("cores", f"{told}, more than the {allowed} cores this process may use", advice)]
    return []


def memory(total: int, available: int, limit: int | None, used: int | None) -> Finding:
    """Bytes: of the machine, and what a cgroup allows this process and its kin, who use so many already."""
    told, free = f"{size(available)} of {size(total)} free", available
    if limit is not None and limit < total:
        free = min(available, max(0, limit - (used or 0)))
        told = f"{size(free)} of the {size(limit)} that the container allows are free"
    if free < _LITTLE:
        return warning("memory", told, "Close what takes it, or train smaller: a run that gets none left is killed.")
    return ok("memory", told)


def quota(root: Path, memberships: str) -> float | None:
    """Cores' worth of time that cgroups leave this process, the least of all above it; None where nothing limits it.

    `root` is /sys/fs/cgroup, `memberships` the text of /proc/self/cgroup.
    """
    found = []
    for folder in _folders(root, memberships, "cpu"):
        first, _, second = _read(folder / "cpu.max").partition(" ")
        if not first:
            first, second = _read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")
        if first.isdigit() and second.isdigit() and int(second):
            found.append(int(first) / int(second))
    return min(found, default=None)


def limit(root: Path, memberships: str) -> tuple[int | None, int | None]:
    """Bytes of memory that the strictest cgroup allows, and bytes used in it; None where nothing limits."""
    found = []
    for folder in _folders(root, memberships, "memory"):
        for most, used in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")):
            if (words := _read(folder / most)).isdigit() and int(words) < _UNLIMITED:
                now = _read(folder / used)
                found.append((int(words), int(now) if now.isdigit() else 0))
    return min(found, default=(None, None))


def _folders(root: Path, memberships: str, controller: str) -> list[Path]:
    """This process's cgroup and all above it; where a container shows only its own, that is `root`."""
    found = []
    for line in memberships.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" or controller in controllers.split(","):
            top = root if number == "0" else root / controller
            at = top / path.lstrip("/")
            found += [top, *(above for above in (at, *at.parents) if above.is_relative_to(top))]
    return list(dict.fromkeys(found))


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def allowed() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
