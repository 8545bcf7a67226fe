"""Whether two encoded datasets are the same to the last bit."""

import numpy as np

from engine.data.encoding import Encoded


def same(one: Encoded, other: Encoded) -> bool:
    facts = ("name", "class_names", "vocabulary", "note", "cut")
    return all(getattr(one, fact) == getattr(other, fact) for fact in facts) and all(
        np.array_equal(getattr(a, field), getattr(b, field)) and getattr(a, field).dtype == getattr(b, field).dtype
        for a, b in ((one.train, other.train), (one.test, other.test))
        for field in ("tokens", "offsets", "labels")
    )
