"""The WordPiece vocabulary of a BERT: trained on texts, or read from a vocab.txt. Imports no torch.

Texts are cut as in Devlin et al. 2019: by spaces and signs, Chinese characters one by one, without control characters;
in small letters and without accents, unless the vocabulary tells letters of both sizes apart.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import BadInput

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PAD, UNK, CLS, SEP, MASK = SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_INSIDE = "##"  # a piece that goes on with a word
_COVERED = 0.9999  # share of all characters that are pieces of their own; a word with a rarer one is unknown
_LARGEST = 1_000_000  # pieces; no honest vocabulary comes near


def train(texts: Callable[[], Iterable[str]], size: int) -> list[str]:
    """At most `size` pieces, special ones first, most of them learned from `texts()`, which is read twice.

    The same texts give the same pieces in the same order.
    """
    from tokenizers import Tokenizer, models, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token=UNK))
    normaliser = tokenizer.normalizer = _normaliser(lower=True)
    tokenizer.pre_tokenizer = _cut()
    counts: Counter[str] = Counter()
    for text in texts():
        counts.update(normaliser.normalize_str(text))
    alphabet = _alphabet(counts, most=(size - len(SPECIALS)) // 4)
    trainer = trainers.WordPieceTrainer(
        vocab_size=size,
        show_progress=False,
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        # Named here, since the trainer numbers what it meets in the order of a hash map, another one each time.
        special_tokens=[*SPECIALS, *alphabet, *(_INSIDE + letter for letter in alphabet)],
    )
    tokenizer.train_from_iterator(texts(), trainer)
    numbers = tokenizer.get_vocab()
    return sorted(numbers, key=numbers.__getitem__)


def read(path: Path) -> list[str]:
    """The pieces in a vocab.txt, one a line. Raises BadInput where they are not a vocabulary that a BERT can use."""
    where = f"vocab: {path}"
    try:
        lines = path.read_bytes().decode("utf-8").removesuffix("\n").split("\n")
    except OSError as error:
        raise BadInput(f"{where} cannot be read ({error.strerror}); give a vocab.txt, one piece a line.") from None
    except UnicodeDecodeError:
        raise BadInput(f"{where} is not UTF-8 text; give a vocab.txt, one piece a line.") from None
    pieces = [line.removesuffix("\r") for line in lines]
    if missing := [piece for piece in SPECIALS if piece not in pieces]:
        raise BadInput(f"{where} lacks {' and '.join(missing)}; give a vocabulary that holds {', '.join(SPECIALS)}.")
    if len(pieces) > _LARGEST:
        raise BadInput(f"{where} holds {len(pieces):,} pieces; give at most {_LARGEST:,}.")
    first: dict[str, int] = {}
    for number, piece in enumerate(pieces, start=1):
        if not piece:
            raise BadInput(f"{where} has an empty line {number}; give one piece a line.")
        if first.setdefault(piece, number) != number:
            raise BadInput(f"{where} has {piece!r} in lines {first[piece]} and {number}; keep one of them.")
    return pieces


def lower_case(pieces: Sequence[str]) -> bool:
    """Whether texts are to be put in small letters: no piece but the special ones has a large one."""
    return all(piece == piece.lower() for piece in pieces if not (piece.startswith("[") and piece.endswith("]")))


def encoder(pieces: Sequence[str]) -> "Tokenizer":
    """Cuts texts into numbers of these pieces. It adds no special pieces, and finds none in texts that spell one."""
    from tokenizers import Tokenizer, models

    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token=UNK))
    tokenizer.normalizer = _normaliser(lower_case(pieces))
    tokenizer.pre_tokenizer = _cut()
    return tokenizer


def _normaliser(lower: bool) -> Any:
    from tokenizers.normalizers import BertNormalizer

    return BertNormalizer(lowercase=lower)  # accents go with the large letters


def _cut() -> Any:
    from tokenizers.pre_tokenizers import BertPreTokenizer

    return BertPreTokenizer()


def _alphabet(counts: Counter[str], most: int) -> list[str]:
    """The most frequent characters that together make up nearly all text; equals by their number."""
    letters = sorted((letter for letter in counts if not letter.isspace()), key=lambda one: (-counts[one], one))
    wanted, found = _COVERED * sum(counts[letter] for letter in letters), 0
    kept = []
    for letter in letters[:most]:
        if found >= wanted:
            break
        kept.append(letter)
        found += counts[letter]
    return kept
