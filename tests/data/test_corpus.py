"""What every source must satisfy, and what a person is told where it does not."""

import subprocess
import sys

import pytest

from engine.data import corpus
from engine.data.corpus import Corpus
from engine.errors import BadInput
from engine.spec import DataSpec


def _corpus(train_labels, test_labels):
    train, test = ([(f"text {n}", label) for n, label in enumerate(labels)] for labels in (train_labels, test_labels))
    return Corpus("made", ("a", "b", "c"), train, test)


def test_a_corpus_may_lack_a_class_altogether():
    corpus.check(_corpus([0, 0, 1, 1], [0, 1]))


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (_corpus([], []), "dataset: made has no train texts"),
        (_corpus([0, 0, 1, 1], []), "dataset: made has no test texts"),
        (_corpus([0, 0], [0]), r"training texts of one class only \(a\)"),
        (_corpus([0, 0, 1], [0]), "a single training text of class b; give at least 2"),
        (_corpus([0, 0, 1, 1], [2]), "test texts of class c but no training texts of it"),
        (_corpus([0, 0, 1, 3], [0]), "has the train label 3; it should be from 0 to 2"),
        (_corpus([0, 0, 1, 1], [-1]), "has the test label -1; it should be from 0 to 2"),
    ],
)
def test_a_corpus_that_cannot_be_trained_on_is_refused_in_one_sentence(bad, says):
    with pytest.raises(BadInput, match=says) as caught:
        corpus.check(bad)
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


def test_a_dataset_that_is_not_here_comes_with_the_command_that_brings_it():
    assert not corpus.present("ag_news")
    with pytest.raises(
        BadInput, match=r"not on this machine; .*lth data fetch ag_news, or lth data import ag_news PATH .*LTH_DATA"
    ):
        corpus.read(DataSpec(name="ag_news"))


def test_a_name_that_is_not_in_the_catalog_is_answered_with_the_nearest():
    with pytest.raises(BadInput, match="did you mean ag_news"):
        corpus.read(DataSpec(name="agnews"))


def test_the_built_in_corpus_is_always_here():
    assert corpus.present("pydoc")


def test_a_folder_put_where_lth_data_points_is_here(ag_news):
    assert corpus.present("ag_news")
    assert corpus.read(DataSpec(name="ag_news")).class_names == ("World", "Sports", "Business", "Sci/Tech")
    (ag_news / "test.csv").unlink()
    assert not corpus.present("ag_news")
    with pytest.raises(BadInput, match=r"ag_news holds a train.csv but no test.csv; bring both parts"):
        corpus.read(DataSpec(name="ag_news"))


def test_datasets_are_listed_checked_and_imported_without_torch(ag_news):
    heavy = "{'torch', 'torchtext', 'sklearn', 'pandas', 'scipy', 'textual', 'pyarrow'}"
    code = (
        "import sys; from engine.data import store; from engine.spec import DataSpec;"
        "store.validate(DataSpec(name='ag_news')); store.listing();"
        f"store.import_dataset('ag_news', {str(ag_news)!r}); print({heavy} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
