"""The user's own texts: a csv, tsv, jsonl or parquet file with a column of texts and one of labels."""

from engine.data.corpus import Corpus
from engine.errors import BadInput
from engine.spec import DataSpec


def read(data: DataSpec) -> Corpus:
    """The corpus in `data.file`. Raises BadInput naming the file and the row of the first thing wrong with it."""
    raise BadInput(f"dataset: {data.file} cannot be read yet.")


def fingerprint(data: DataSpec) -> tuple[object, ...] | None:
    """Path, size and time of change of the files, and the columns asked for; None where a file is missing."""
    raise BadInput(f"dataset: {data.file} cannot be read yet.")
