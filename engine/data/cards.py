"""The datasets of the menu, in words. Plain data: imports nothing heavy."""

from dataclasses import dataclass
from typing import Literal


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
    """`train` and `test` are the published numbers of texts; `study` says how the 2020 study split it, if it did.

    `backslash` says what one means in the published texts: itself, a newline (AG News: `social\\network`), or the
    beginning of an escape (Yelp writes `\\n` and `\\"`).
    """

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
    backslash: Literal["itself", "newline", "escape"] = "itself"


_STUDY = "70/30 into training and validation texts, tested on the published test part: --set data.valid_fraction=0.3"
_ZHANG = "Zhang, Zhao and LeCun 2015, Character-level Convolutional Networks, NeurIPS"
_DBPEDIA = (
    *("Company", "EducationalInstitution", "Artist", "Athlete", "OfficeHolder", "MeanOfTransportation", "Building"),
    *("NaturalPlace", "Village", "Animal", "Plant", "Album", "Film", "WrittenWork"),
)
_PUBLISHED = "engine.data.published:read"

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
        read=_PUBLISHED,
        classes=("World", "Sports", "Business", "Sci/Tech"),
        train=120_000,
        test=7_600,
        builtin=False,
        licence="non-commercial research use",
        source="classic csv: train.csv and test.csv with class, title, description; or parquet",
        citation=_ZHANG,
        hub=Hub("fancyzhx/ag_news", "eb185aade064a813bc0b7f42de02595523103ca4", ("text",), "label"),
        study=_STUDY,
        backslash="newline",
    ),
    DatasetCard(
        name="imdb",
        title="is this film review positive or negative?",
        read=_PUBLISHED,
        classes=("negative", "positive"),
        train=25_000,
        test=25_000,
        builtin=False,
        licence="research use, as its authors ask; the reviews belong to IMDb's users",
        source="aclImdb_v1.tar.gz or its folder, Kaggle's IMDB Dataset.csv, csv with label and text, parquet",
        citation="Maas et al. 2011, Learning Word Vectors for Sentiment Analysis, ACL",
        hub=Hub("stanfordnlp/imdb", "e6281661ce1c48d982bc483cf8a173c1bbeb5d31", ("text",), "label"),
        study=_STUDY,
    ),
    DatasetCard(
        name="yelp_polarity",
        title="is this Yelp review negative (1 or 2 stars) or positive (4 or 5)?",
        read=_PUBLISHED,
        classes=("negative", "positive"),
        train=560_000,
        test=38_000,
        builtin=False,
        licence="Yelp's dataset terms: academic use",
        source="classic csv: train.csv and test.csv with class, text; or parquet",
        citation=_ZHANG,
        hub=Hub("fancyzhx/yelp_polarity", "bbf1c97a1f0cf005e5aded43839fd814654a1557", ("text",), "label"),
        study=_STUDY,
        backslash="escape",
    ),
    DatasetCard(
        name="yelp_full",
        title="how many stars did this Yelp review give?",
        read=_PUBLISHED,
        classes=("1 star", "2 stars", "3 stars", "4 stars", "5 stars"),
        train=650_000,
        test=50_000,
        builtin=False,
        licence="Yelp's dataset terms: academic use",
        source="classic csv: train.csv and test.csv with stars, text; or parquet",
        citation=_ZHANG,
        hub=Hub("Yelp/yelp_review_full", "c1f9ee939b7d05667af864ee1cb066393154bf85", ("text",), "label"),
        study=_STUDY,
        backslash="escape",
    ),
    DatasetCard(
        name="dbpedia",
        title="what kind of thing does this Wikipedia abstract describe?",
        read=_PUBLISHED,
        classes=_DBPEDIA,
        train=560_000,
        test=70_000,
        builtin=False,
        licence="CC BY-SA 3.0",
        source="classic csv: train.csv and test.csv with class, title, content; or parquet",
        citation=f"Lehmann et al. 2015, DBpedia, Semantic Web 6; {_ZHANG}",
        hub=Hub("fancyzhx/dbpedia_14", "9abd46cf7fc8b4c64290f26993c540b92aa145ac", ("title", "content"), "label"),
        study=f"planned, not done; as its other sets it would be {_STUDY}",
    ),
    DatasetCard(
        name="sst2",
        title="is this sentence of a film review positive or negative?",
        read=_PUBLISHED,
        classes=("negative", "positive"),
        train=6_920,
        test=1_821,
        builtin=False,
        licence="research use; no licence is stated",
        source="stsa.binary.train and .test as Kim (2014) used them (the 872 of .dev left aside); or jsonl, parquet",
        citation="Socher et al. 2013, Recursive Deep Models for Semantic Compositionality, EMNLP",
        hub=Hub("SetFit/sst2", "00ea8ccb7a54b4e3780a3e51aa3f80361ff849c0", ("text",), "label"),
    ),
)

DATASETS: dict[str, DatasetCard] = {card.name: card for card in _CARDS}


def bring(name: str) -> str:
    """The commands that bring a dataset of the menu to this machine."""
    by_hand = f"lth data import {name} PATH"
    return f"lth data fetch {name}, or {by_hand}" if DATASETS[name].hub else by_hand
