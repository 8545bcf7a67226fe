"""The kinds of events and what each carries, as checks: an event that fails one is not believed.

Here stands what a reader may rely on. An event may carry more; kinds that are not listed carry nothing a summary needs.
"""

import math
import re
from collections.abc import Callable
from typing import Any

import orjson

Event = dict[str, Any]
Check = Callable[[object], bool]

MEANS = ("sparsity", "total_sparsity")
COUNTS = ("parameters", "nonzero")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MOST_ROUNDS = 1000  # as the spec has it, and so the epochs
_MOST_EPOCHS = 10_000


def _number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]


def _share(value: object) -> bool:
    return _number(value) and 0 <= value <= 1  # type: ignore[operator]


def _whole(low: int, high: int) -> Check:
    return lambda value: type(value) is int and low <= value <= high


def _maybe(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _is(*kinds: type) -> Check:
    return lambda value: type(value) in kinds


def _plain(value: object) -> bool:
    """Whether it can be shown as JSON again, a few levels deeper: orjson reads deeper nests than it writes."""
    try:
        return bool(orjson.dumps([[[value]]]))
    except orjson.JSONEncodeError:
        return False


def _tree(value: object) -> bool:
    return type(value) is dict and _plain(value)


def _words(value: object) -> bool:
    return type(value) is list and all(type(word) is str for word in value)


def _shares(value: object) -> bool:
    return type(value) is dict and all(map(_share, value.values()))


def _several(value: object) -> bool:
    return type(value) is list and len(value) <= 2 and all(map(_share, value))


def is_arm(value: object) -> bool:
    return type(value) is str and _NAME.fullmatch(value) is not None


def _path(value: object) -> bool:
    """Numbers from 0 to 1 along a line, its ends among them."""
    return type(value) is list and 2 <= len(value) <= _MOST_ROUNDS + 1 and all(map(_share, value))


is_seed, is_round, _count = _whole(0, 2**31 - 1), _whole(0, _MOST_ROUNDS), _whole(0, 2**53)
_epoch = _whole(1, _MOST_EPOCHS)
# A network that is trained more than once under one mask and seed is told with the number of its copy.
_WHERE = {
    "seed": is_seed,
    "round": is_round,
    "arm": is_arm,
    "sparsity": _maybe(_share),
    "copy": _maybe(_whole(1, 2)),
}
_TRAINED = {"train_loss": _maybe(_number), "valid_accuracy": _maybe(_share), "valid_loss": _maybe(_number)}
# What each kind of event must look like: field -> check. A field that may be null may also be missing.
KINDS: dict[str, dict[str, Check]] = {
    "run_started": {
        "versions": _maybe(_tree),
        "device": _maybe(_is(str)),
        "threads": _maybe(_count),
        "grouping": _plain,
    },
    "data_ready": {
        "name": _is(str),
        "classes": _count,
        "class_names": _maybe(_words),
        **dict.fromkeys(("train", "valid", "test"), _count),
        "vocabulary": _maybe(_count),
        "note": _maybe(_is(str)),
    },
    "reference": {
        "seed": is_seed,
        "linear_test_accuracy": _share,
        "linear_test_macro_f1": _maybe(_share),
        **dict.fromkeys(("texts", "of"), _maybe(_count)),
        "seconds": _maybe(_number),
    },
    "round_started": {
        "seed": is_seed,
        "round": is_round,
        **dict.fromkeys(MEANS, _share),
        **dict.fromkeys(COUNTS, _count),
        "layers": _shares,
        "kinds": _maybe(_shares),
    },
    "epoch": {**_WHERE, **_TRAINED, "epoch": _epoch, "epochs": _maybe(_epoch), "seconds": _maybe(_number)},
    "trained": {
        **_WHERE,
        **dict.fromkeys(("valid_accuracy", "test_accuracy", "test_macro_f1"), _maybe(_share)),
        **dict.fromkeys(("valid_loss", "test_loss", "seconds"), _maybe(_number)),
        "best_epoch": _maybe(_whole(0, _MOST_EPOCHS)),
        "parameters": _maybe(_count),
        "shared": _maybe(_is(str)),
        "diverged": _maybe(_is(bool)),
    },
    "stability": {
        "seed": is_seed,
        "round": is_round,
        "arm": is_arm,
        "sparsity": _maybe(_share),
        "alphas": _path,
        "errors": _maybe(_path),
        "barrier": _maybe(_number),
        **dict.fromkeys(("valid_accuracy", "test_accuracy"), _maybe(_several)),
    },
    "warning": {"message": _is(str), "seed": _maybe(is_seed), "round": _maybe(is_round)},
    "run_finished": {"verdict": _maybe(_tree), "reference": _maybe(_tree)},
    "run_failed": {"cause": _is(str)},
    "run_resumed": {},
}


def sound(event: Event) -> bool:
    """Whether an event of a listed kind has what it must; round 0 trains the arm `dense` and no other round does."""
    checks = KINDS[event["event"]]
    if not all(check(event.get(name)) for name, check in checks.items()):
        return False
    if event["event"] == "stability" and len(event["alphas"]) != len(event.get("errors") or event["alphas"]):
        return False
    return "arm" not in checks or (event["round"] == 0) == (event["arm"] == "dense")
