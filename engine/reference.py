"""The linear reference: what TF-IDF and logistic regression reach on the very split that a network is trained on.

Weak dense networks manufacture tickets (Liu et al. 2019), so each one is held against a model that takes seconds.
Words and pairs of words are hashed to columns instead of listed: the pairs in 100,000 reviews would fill gigabytes.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import chain, compress, islice
from typing import TYPE_CHECKING

import numpy as np

from engine.data import cache
from engine.data import corpus as corpora
from engine.data.corpus import Corpus
from engine.data.split import split
from engine.errors import BadInput, Stopped

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from engine.spec import DataSpec

MARGIN = 0.02  # a dense network that is further below the reference is no baseline
_RULES = 2  # raise it whenever the same split would come to another number
_STRENGTHS = (1.0, 3.0, 10.0, 30.0)  # the inverse regularisation C; validation chooses
_WORDS = r"(?u)\w+|[^\w\s]"  # punctuation counts: it carries sentiment
_COLUMNS = 2**22  # few of a million pairs meet in one column
_BATCH = 1000  # texts between two looks at whether to stop

# What bounds memory and time. Ordinary corpora of up to 100,000 texts, like IMDb and AG News, are read whole.
_MOST_TEXTS = 100_000
_MOST_VALID = 20_000
_MOST_FEATURES = 500_000
_MOST_CHARACTERS = 300_000_000  # of all training texts; a longer text is read up to its equal share of these
_MOST_GRADIENTS = 10_000_000  # the solver keeps a number for each class and text, and for each class and feature


@dataclass(frozen=True)
class Reference:
    """What the linear model reached on the test texts, as fractions.

    It was trained on `texts` of the split's `of` training texts, with the C that did best on the validation texts.
    `seconds` is what that took when it was computed.
    """

    test_accuracy: float
    test_macro_f1: float
    valid_accuracy: float
    strength: float
    texts: int
    of: int
    seconds: float


def of_split(data: "DataSpec", labels: np.ndarray, seed: int, stop: Callable[[], bool] = lambda: False) -> Reference:
    """The reference on the split of a seed, computed now or read from the cache.

    `labels` are those of all training texts, in the corpus's order. Where another process computes the same, its work
    is waited for. Raises Stopped soon after `stop()` has become true, and what `linear` and `corpus.read` raise.
    """
    content = (version("scikit-learn"), corpora.fingerprint(data), seed, data.valid_fraction, data.train_size)
    path = cache.place(data.name, "linear", _RULES, *content)
    if kept := cache.read(path):
        return Reference(**kept[0])
    with cache.alone(path, lambda: None, stop):
        if kept := cache.read(path):
            return Reference(**kept[0])
        train, valid = split(labels, seed, data.valid_fraction, data.train_size)
        found = linear(corpora.read(data, stop), labels, train, valid, stop)
        cache.write(path, asdict(found))
    return found


def linear(
    corpus: Corpus, labels: np.ndarray, train: np.ndarray, valid: np.ndarray, stop: Callable[[], bool] = lambda: False
) -> Reference:
    """Train on the training texts at the places `train`, choose C on those at `valid`, test once.

    Words and pairs of words that stand in two training texts or more, sublinear counts times inverse document
    frequency, L2-normalised; multinomial logistic regression by SAGA. Nothing is drawn: the same split gives the same
    number. Of more texts than fit the bounds above a part is taken, stratified by class. Raises Stopped, BadInput for
    thousands of classes, and ValueError where the corpus does not hold the texts that `labels` are of.
    """
    # Half a second to import, and a cached answer needs none of it.
    from scipy.sparse import vstack
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.linear_model import LogisticRegression

    began = time.perf_counter()
    classes = len(corpus.class_names)
    room = _MOST_GRADIENTS // classes
    if room < 2 * classes:
        raise BadInput(f"{classes:,} classes are too many for it")
    rows = _part(labels, train, min(_MOST_TEXTS, room))
    length = _MOST_CHARACTERS // len(rows)

    def counted(part: Iterable[tuple[str, int]]) -> Iterator[tuple["csr_matrix", np.ndarray]]:
        return _counted(part, length, stop)

    batches, known, seen = [], [], np.zeros(_COLUMNS, np.int64)
    for counts, found in counted(_at(corpus.train, rows)):
        seen += np.bincount(counts.indices, minlength=_COLUMNS)
        batches.append(counts)
        known.append(found)
    _same(known, labels[rows])
    kept = _features(seen, min(_MOST_FEATURES, room))
    for place, counts in enumerate(batches):
        batches[place] = counts[:, kept]  # one by one, so that both are never in memory whole
    together = vstack(batches, format="csr")
    del batches
    weighing = TfidfTransformer(sublinear_tf=True).fit(together)
    weighed = weighing.transform(together, copy=False)

    held = _part(labels, valid, _MOST_VALID)
    judges = [(weighing.transform(counts[:, kept]), found) for counts, found in counted(_at(corpus.train, held))]
    _same([found for _, found in judges], labels[held])
    best, best_hits = None, -1
    for strength in _STRENGTHS:
        if stop():
            raise Stopped
        # On one thread, which is faster here than the threads that lbfgs would let wait for each other.
        model = LogisticRegression(C=strength, solver="saga", tol=1e-2, random_state=0).fit(weighed, labels[rows])
        hits = sum(int((model.predict(texts) == found).sum()) for texts, found in judges)
        if hits > best_hits:
            best, best_hits = model, hits
    assert best is not None

    table = np.zeros((classes, classes), np.int64)
    for counts, found in counted(corpus.test):
        np.add.at(table, (found, best.predict(weighing.transform(counts[:, kept]))), 1)
    accuracy, macro_f1 = _scores(table)
    seconds = time.perf_counter() - began
    return Reference(accuracy, macro_f1, best_hits / len(held), best.C, len(rows), len(train), seconds)


def shortfall(seed: int, dense: float | None, linear_: float | None) -> str | None:
    """The warning about a dense network whose test accuracy is more than two points below its seed's reference."""
    if dense is None or linear_ is None or round(linear_ - dense, 9) <= MARGIN:
        return None
    return (
        f"the dense network (seed {seed}, {100 * dense:.1f} %) is {100 * (linear_ - dense):.1f} points below TF-IDF + "
        f"logistic regression ({100 * linear_:.1f} %): weak baselines manufacture tickets; train it longer or tune it "
        "first"
    )


def _part(labels: np.ndarray, rows: np.ndarray, most: int) -> np.ndarray:
    """All the rows, or as many of them as may be, each class with its share of them; ascending."""
    if len(rows) <= most:
        return rows
    return rows[np.sort(np.concatenate(split(labels[rows], 0, 0.5, most)))]


def _at(pairs: Iterable[tuple[str, int]], rows: np.ndarray) -> Iterator[tuple[str, int]]:
    """The pairs at these places, ascending; the others are passed over and not held."""
    wanted = np.zeros(rows[-1] + 1, bool)
    wanted[rows] = True
    return compress(pairs, wanted.tolist())


def _counted(
    pairs: Iterable[tuple[str, int]], length: int, stop: Callable[[], bool]
) -> Iterator[tuple["csr_matrix", np.ndarray]]:
    """How often each word and pair of words stands in each text, by column, and the labels; some texts at a time."""
    from sklearn.feature_extraction.text import HashingVectorizer

    hashing = HashingVectorizer(
        token_pattern=_WORDS, ngram_range=(1, 2), n_features=_COLUMNS, alternate_sign=False, norm=None, dtype=np.float32
    )
    pairs = iter(pairs)
    while batch := list(islice(pairs, _BATCH)):
        if stop():
            raise Stopped
        yield hashing.transform([text[:length] for text, _ in batch]), np.array([label for _, label in batch])


def _features(seen: np.ndarray, most: int) -> np.ndarray:
    """The columns that stand in two training texts or more; of too many those in the most texts."""
    kept = np.flatnonzero(seen >= min(2, seen.max()))
    return np.sort(kept[np.argsort(-seen[kept], kind="stable")[:most]])


def _same(found: list[np.ndarray], wanted: np.ndarray) -> None:
    if list(chain.from_iterable(found)) != wanted.tolist():
        raise ValueError("the corpus holds other texts than those that were split")


def _scores(table: np.ndarray) -> tuple[float, float]:
    """Accuracy and macro-F1 of a table of true by predicted classes; a class without test texts counts for nothing."""
    hits = table.diagonal()
    f1 = 2 * hits / np.maximum(table.sum(0) + table.sum(1), 1)
    return float(hits.sum() / table.sum()), float(f1[table.sum(1) > 0].mean())
