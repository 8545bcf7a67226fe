"""`data`: how fast texts are encoded, and how soon an encoded dataset is there again."""

from collections import Counter
from statistics import median

from engine.data import corpus, encoding, words
from engine.spec import compose
from tests.bench import made
from tests.bench.figures import Figure, at_most, interleaved, spread, timed


def run(texts: int = 20_000, repeats: int = 3) -> list[Figure]:
    """Encoding against tokenising once for the vocabulary and once for the ids, as torchtext's examples do."""
    from torchtext.data.utils import get_tokenizer
    from torchtext.vocab import Vocab

    spec = compose("cnn", "ag_news").data
    with made.own_folders() as folder:
        made.news_csv(folder / "data" / "ag_news", texts * 4 // 5, texts - texts * 4 // 5)
        source = corpus.read(spec)
        tokenise = get_tokenizer("basic_english")

        def twice() -> None:
            counts: Counter[str] = Counter()
            for text, _ in source.train:
                counts.update(tokenise(text))
            vocab = Vocab(counts, max_size=spec.vocabulary_size, min_freq=spec.min_count)
            for text, _ in [*source.train, *source.test]:
                [vocab.stoi[word] for word in tokenise(text)]

        limits = spec.max_tokens, spec.vocabulary_size, spec.min_count
        found = interleaved({"encode": timed(lambda: words.encode(source, *limits)), "twice": timed(twice)}, repeats)
        (first,) = timed(lambda: encoding.load(spec))()
        cached = [seconds for _ in range(5) for seconds in timed(lambda: encoding.load(spec))()]
    encode, plain, again = median(found["encode"]), median(found["twice"]), median(cached)
    return [
        Figure(
            "data",
            f"encoding {texts:,} texts",
            texts / encode,
            "texts/s",
            f"tokenising twice: {texts / plain:,.0f} texts/s",
            plain / encode,
            note=spread(found["encode"], unit="s"),
        ),
        Figure(
            "data",
            f"loading {texts:,} encoded texts again",
            again,
            "s",
            f"from csv: {first:.2f} s",
            first / again,
            **at_most(again, 0.5, "s"),
        ),
    ]
