"""The datasets of the menu, in words. Plain data: imports nothing heavy."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Hub:
    """Where a dataset lies on the Hugging Face hub: repository, pinned revision, columns, names of the two splits."""

    repository: str
    revision: str
    text: tuple[str, ...]
    label: str
    config: str | None = None
    train: str = "train"
    test: str = "test"


@dataclass(frozen=True)
class DatasetCard:
    """`train` and `test` are the published numbers of texts; `study` says how the 2020 study split it, if it did."""

    name: str
    title: str
    read: str
    classes: tuple[str, ...]
    train: int
    test: int
    builtin: bool
    licence: str
    source: str
    citation: str
    hub: Hub | None = None
    study: str = ""


_CARDS = (
    DatasetCard(
        name="pydoc",
        title="which part of Python's library does this paragraph document?",
        read="engine.data.pydoc:read",
        classes=("network", "concurrency", "numbers", "files", "gui", "language"),
        train=10_000,
        test=2_500,
        builtin=True,
        licence="Python Software Foundation License",
        source="docstrings of the running Python's standard library",
        citation="built in; counts vary with Python's version",
    ),
    DatasetCard(
        name="ag_news",
        title="topic of a news item, from its title and description",
        read="engine.data.classic_csv:read",
        classes=("World", "Sports", "Business", "Sci/Tech"),
        train=120_000,
        test=7_600,
        builtin=False,
        licence="non-commercial research use",
        source="classic csv: train.csv and test.csv with class, title, description",
        citation="Zhang, Zhao and LeCun 2015, Character-level Convolutional Networks, NeurIPS",
    ),
)

DATASETS: dict[str, DatasetCard] = {card.name: card for card in _CARDS}
