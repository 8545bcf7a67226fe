"""Made-up material: texts as arrays, a csv like AG News, finished runs, and folders of their own to keep them in."""

import atexit
import csv
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path

import numpy as np

from engine import catalog
from engine.data.encoding import Texts
from engine.record import rundir
from tests.checkpoints import small

CLASSES = 4
_SYLLABLES = [a + b for a in "bdfghklmnprstvwz" for b in "aeiou"]


@contextmanager
def own_folders() -> Iterator[Path]:
    """A temporary folder in which runs, datasets and caches are kept meanwhile, so that the user's are not touched."""
    with tempfile.TemporaryDirectory(prefix="lth-bench-", ignore_cleanup_errors=True) as name:
        moved = {"LTH_RUNS": f"{name}/runs", "LTH_DATA": f"{name}/data", "XDG_CACHE_HOME": f"{name}/cache"}
        moved["LTH_CACHE"] = f"{name}/dense"
        before = {variable: os.environ.get(variable) for variable in moved}
        os.environ.update(moved)
        try:
            yield Path(name)
        finally:
            for variable, value in before.items():
                if value is None:
                    del os.environ[variable]
                else:
                    os.environ[variable] = value


def _ids(random: np.random.Generator, count: int, words: int) -> np.ndarray:
    """Word ranks from 0, distributed like those of a language (Zipf: the logarithm is uniform)."""
    return np.minimum(np.exp(random.random(count) * np.log(words)).astype(np.int64), words - 1)


def lengths(random: np.random.Generator, texts: int, mean: int) -> np.ndarray:
    """Tokens a text: like AG News, whose titles and descriptions have 45 tokens give or take 12."""
    return np.clip(random.normal(mean, mean * 0.27, texts), max(1, mean // 4), mean * 4).astype(np.int64)


def texts(count: int, mean: int, vocabulary: int, seed: int = 0, hint: float = 0.15) -> Texts:
    """Texts of about `mean` tokens in CLASSES classes; a share `hint` of their tokens tells the class."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, CLASSES, count)
    sizes = lengths(random, count, mean)
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    tokens = 2 + _ids(random, int(offsets[-1]), vocabulary - 2)
    telling = random.random(len(tokens)) < hint
    own = 2 + np.repeat(labels, sizes) * 10 + random.integers(0, 10, len(tokens))
    tokens = np.where(telling, np.minimum(own, vocabulary - 1), tokens)
    return Texts(tokens.astype(np.int32), offsets, labels.astype(np.int64))


def _word(number: int) -> str:
    """A pronounceable word of its own for every number, short ones first."""
    rest, last = divmod(number, len(_SYLLABLES))
    return (_word(rest - 1) if rest else "") + _SYLLABLES[last]


def news_csv(folder: Path, train: int, test: int, words: int = 50_000) -> Path:
    """A dataset in the format of AG News: capitals, punctuation, a vocabulary like a language's; learnable."""
    random = np.random.default_rng(0)
    lexicon = [_word(number) for number in range(words)]
    folder.mkdir(parents=True)
    for part, count in (("train", train), ("test", test)):
        sizes = lengths(random, count, 38)
        ranks = _ids(random, int(sizes.sum()), words)
        labels = np.arange(count) % CLASSES
        own = np.repeat(labels, sizes) * 10 + 100 + random.integers(0, 10, len(ranks))
        drawn = iter(np.where(random.random(len(ranks)) < 0.15, own, ranks).tolist())
        with (folder / f"{part}.csv").open("w", newline="") as file:
            rows = csv.writer(file, quoting=csv.QUOTE_ALL)
            for label, size in zip(labels.tolist(), sizes.tolist(), strict=True):
                told = [lexicon[next(drawn)] for _ in range(size)]
                told[-1] += "."
                told[size // 2] += ","
                rows.writerow([label + 1, " ".join(told[:7]).capitalize(), f"({told[7:8]}) - " + " ".join(told[8:])])
    return folder


def reviews_csv(folder: Path, train: int, test: int, words: int = 100_000) -> Path:
    """A dataset in the format of Yelp polarity: reviews of 10 to 1,100 words, the mean near 150; half of all different
    words occur once, as in any large collection, so that a vocabulary has something to leave out."""
    random = np.random.default_rng(0)
    lexicon = [_word(number) for number in range(words)]
    forms = [*lexicon, *(f"{word}," for word in lexicon), *(f"{word}." for word in lexicon)]
    folder.mkdir(parents=True)
    for part, count in (("train", train), ("test", test)):
        with (folder / f"{part}.csv").open("w", newline="") as file:
            rows = csv.writer(file, quoting=csv.QUOTE_ALL)
            for start in range(0, count, 1000):
                sizes = np.clip(random.lognormal(4.65, 0.85, min(1000, count - start)), 10, 1100).astype(np.int64)
                ranks = _ids(random, int(sizes.sum()), words)
                form = np.minimum(random.geometric(0.93, len(ranks)) - 1, 2)
                drawn = [forms[number] for number in (ranks + form * words).tolist()]
                for rare in np.flatnonzero(random.random(len(ranks)) < 0.006).tolist():
                    drawn[rare] = forms[random.integers(words)] + forms[random.integers(words)]
                at = 0
                for number, size in enumerate(sizes.tolist()):
                    said = " ".join(drawn[at : at + size]).capitalize()
                    rows.writerow([(start + number) % 2 + 1, said.replace(". ", '.\\n\\n"', 1)])
                    at += size
    return folder


@cache
def _checkpoint() -> str:
    """A small BERT of random weights, in a temporary folder that goes with the process."""
    folder = tempfile.TemporaryDirectory(prefix="lth-bench-")
    atexit.register(folder.cleanup)
    return str(small(Path(folder.name), [_word(number) for number in range(600)], dropout=0.0))


def own_models(model: str) -> dict[str, str]:
    """Settings that keep a model from asking for word vectors or a checkpoint that this machine may not have."""
    names = {setting.name for setting in catalog.MODELS[model].settings}
    given = {"vectors": "none", "checkpoint": _checkpoint() if "checkpoint" in names else ""}
    return {f"model.{name}": value for name, value in given.items() if name in names}


def finished_runs(runs: Path, count: int) -> list[Path]:
    """So many finished runs, a minute apart, with the spec and status of real ones; no fsync, which is all that
    `rundir.create` would take time for."""
    from engine import spec as specs

    content = specs.dump(specs.compose("cnn", "ag_news"))
    now = time.time()
    made = []
    for number in range(count):
        run = runs / rundir.new_id("cnn", "ag_news", "imp", datetime.fromtimestamp(now - 60 * number))
        (run / "tickets").mkdir(parents=True)
        rundir.write_atomically(run / "spec.json", content, durable=False)
        rundir.write_status(
            run,
            {
                "state": "finished",
                "process": {"pid": 4242, "start_ticks": number, "boot_id": "b" * 36, "host": "elsewhere"},
                "started": now - 3600,
                "finished": now - number,
                "updated": now - number,
                "epochs": 5,
                "best": {"dense": 0.901, "ticket": 0.9 + number / 1e6, "sparsity": 0.866},
                "progress": {"trainings": 93, "trainings_done": 93, "fraction": 1.0, "seconds_left": 0.0},
                "sentence": "A winning ticket: up to 86.6 % sparsity the ticket matches the dense network (margin 1 "
                "point); it beats reinit by 1.1 points, 95 % CI [0.6, 1.6]; 3 seeds.",
                "winning_ticket": True,
            },
        )
        made.append(run)
    return made
