"""What an examination of this machine finds: one line a check, and what to do where it is not well."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warning", "failure"]


@dataclass(frozen=True)
class Finding:
    """`told` says how things are; `advice` what would help, None where nothing needs help.

    A warning is what will hurt some runs, or later; a failure what no run gets past.
    """

    name: str
    status: Status
    told: str
    advice: str | None = None


def ok(name: str, told: str) -> Finding:
    return Finding(name, "ok", told)


def warning(name: str, told: str, advice: str) -> Finding:
    return Finding(name, "warning", told, advice)


def failure(name: str, told: str, advice: str) -> Finding:
    return Finding(name, "failure", told, advice)


def blamed(name: str, sentence: str) -> Finding:
    """The failure that a sentence of BadInput tells: `field: what was given; what would do.`"""
    told, _, advice = sentence.partition("; ")
    return failure(name, told, f"{advice[:1].upper()}{advice[1:]}" or "See lth --help.")


def size(count: float) -> str:
    """Bytes as people say them: `812 MB`, `77.2 GB`."""
    return f"{count / 1e6:.0f} MB" if count < 1e9 else f"{count / 1e9:.1f} GB"
