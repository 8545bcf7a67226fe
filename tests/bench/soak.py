"""`soak`: the app watches for ten minutes, and its memory is weighed."""

from tests.bench.app import watching
from tests.bench.figures import Figure


def run() -> list[Figure]:
    return list(watching(600))
