"""Small transformers checkpoints made on the spot: a real folder each, as `save_pretrained` leaves it."""

from collections.abc import Sequence
from pathlib import Path

_SHAPE = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 16, "intermediate_size": 24}
_SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def small(
    folder: Path, words: Sequence[str] = (), kind: str = "bert", head: str = "none", seed: int = 0, dropout: float = 0.1
) -> Path:
    """A checkpoint of random weights with a WordPiece tokenizer of these words, in `folder`.

    `kind` is bert, distilbert or roberta; `head` what its weights hold beside the encoder: none, or mlm as
    `lth pretrain` leaves it.
    """
    import torch
    from transformers import AutoModel, AutoModelForMaskedLM, BertTokenizerFast, DistilBertConfig, RobertaConfig
    from transformers.models.bert import BertConfig

    vocabulary = [*_SPECIALS, *dict.fromkeys(words)]
    common = {"vocab_size": len(vocabulary), "max_position_embeddings": 64}
    if kind == "distilbert":
        config = DistilBertConfig(
            **common, n_layers=2, n_heads=2, dim=16, hidden_dim=24, dropout=dropout, attention_dropout=dropout
        )
    else:
        config = {"bert": BertConfig, "roberta": RobertaConfig}[kind](
            **common, **_SHAPE, hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = (AutoModelForMaskedLM if head == "mlm" else AutoModel).from_config(config)
        with torch.no_grad():
            for weight in network.parameters():  # biases and norms too, so that each is told from a fresh one
                weight.add_(0.02 * torch.randn(weight.shape))
    folder.mkdir(parents=True, exist_ok=True)
    network.save_pretrained(folder)
    vocab = folder / "vocab.txt"
    vocab.write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    BertTokenizerFast(
        vocab={word: number for number, word in enumerate(vocabulary)}, model_max_length=64
    ).save_pretrained(folder)
    return folder
