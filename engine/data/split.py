"""Which training texts are trained on and which are kept for validation."""

import numpy as np

from engine.errors import BadInput
from engine.randomness import derive


def split(
    labels: np.ndarray, seed: int, valid_fraction: float, train_size: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Indices (int64, ascending) of the texts to train on and of those to validate with, stratified by class.

    `train_size` is how many of the training texts are used in all, training and validation together; None uses all.
    Both draws derive from the seed, so that seeds are independent replicates: another seed uses other texts.
    Every class with two texts or more keeps at least one on either side; as far as that leaves room, each gets its
    share to within one text (largest remainder). Raises BadInput where `train_size` exceeds what there is or is below
    2 a class.
    """
    labels = np.asarray(labels)
    classes, counts = np.unique(labels, return_counts=True)
    used = counts
    if train_size is not None:
        if not 2 * len(classes) <= train_size <= len(labels):
            raise BadInput(
                f"data.train_size: {train_size} given; give from {2 * len(classes)} (2 a class) to {len(labels)} "
                "(all training texts), or none to use all."
            )
        used = _shares(counts * (train_size / len(labels)), np.minimum(counts, 2), counts)
    # A class of a single text is trained on; one of more keeps at least one text on either side.
    kept = _shares(used * valid_fraction, np.minimum(used - 1, 1), np.maximum(used - 1, 0))
    random = np.random.default_rng(derive(seed, "split"))
    train, valid = [], []
    for name, use, keep in zip(classes, used, kept, strict=True):
        drawn = random.permutation(np.flatnonzero(labels == name))[:use]
        valid.append(drawn[:keep])
        train.append(drawn[keep:])
    return np.sort(np.concatenate(train)), np.sort(np.concatenate(valid))


def _shares(quotas: np.ndarray, least: np.ndarray, most: np.ndarray) -> np.ndarray:
    """Whole numbers next to `quotas` that add up to their rounded sum, by largest remainder, within the bounds.

    Where the bounds do not admit that sum, the nearest one that they do.
    """
    total = int(np.clip(round(float(quotas.sum())), least.sum(), most.sum()))
    shares = np.clip(np.floor(quotas).astype(np.int64), least, most)
    while (missing := total - int(shares.sum())) != 0:
        step = 1 if missing > 0 else -1
        open_ = np.flatnonzero(shares < most if step > 0 else shares > least)
        neediest = open_[np.argsort(-step * (quotas - shares)[open_], kind="stable")]
        shares[neediest[: abs(missing)]] += step
    return shares
