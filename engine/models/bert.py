"""Any sequence classifier of transformers, from a local folder: BERT, DistilBERT, RoBERTa, or one pretrained here.

Fine-tuned as the paper does (Devlin et al. 2019): its own tokenizer, a new head, 32-bit floats on a CPU and bfloat16
autocast on a GPU. Only safetensors are read, and no code that came with a checkpoint is ever run.
"""

import copy
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.errors import BadInput
from engine.models.sizes import widest
from engine.pruning.mask import Weights

# What configs call the width inside the feed-forward part; what in some of them goes with the hidden size; and what a
# config says whose heads cannot become fewer, since their size or their keys are its own.
_FEEDS = ("intermediate_size", "hidden_dim", "d_inner", "n_inner")
_TIED = ("embedding_size", "pooler_hidden_size")
_OF_HEADS = ("num_key_value_heads", "head_dim", "d_head")


class Bert(nn.Module):
    """A sequence classifier of transformers, with the weights that its checkpoint holds."""

    twice_differentiable = False  # see `network.twice_differentiable`

    def __init__(self, network: Any, pretrained: Weights, classes: int):
        super().__init__()
        self.network = network
        self.pretrained = pretrained  # by layer, as `named_parameters` of this module calls them; on the CPU
        self.encoder_prefix = f"network.{network.base_model_prefix}."
        self.classes = classes
        given = getattr(network.config, "pad_token_id", None)
        words = f"network.{_name_of(network, network.get_input_embeddings())}.weight"
        self.padding = None if given is None else (words, given)
        if given is None:  # decoders, such as GPT-2: any id that no text holds will do, and they must be told of it
            given = network.config.pad_token_id = getattr(network.config, "eos_token_id", None) or 0
        self.pad = int(given)
        embeddings = {f"{name}.weight" for name, part in self.named_modules() if isinstance(part, nn.Embedding)}
        # A layer that stands among the embeddings is one of them, their normalisation too.
        self.embeddings = embeddings | {name for name, _ in self.named_parameters() if ".embeddings." in name}

    def forward(self, tokens: Tensor, lengths: Tensor, _generator: torch.Generator | None = None) -> Tensor:
        """tokens [B, L], lengths [B] -> logits [B, classes] in the weights' own bits.

        Dropout is drawn by torch's own generator.
        """
        valid = torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None]
        tokens = tokens.long().masked_fill(~valid, self.pad)
        low = tokens.is_cuda and not self.twice_differentiable  # second derivatives need the 32 bits
        with torch.autocast(tokens.device.type, torch.bfloat16, enabled=low):
            logits: Tensor = self.network(input_ids=tokens, attention_mask=valid.long()).logits
        return logits.float() if low else logits

    @torch.no_grad()
    def initialise(self, generator: torch.Generator, control: bool = False) -> None:
        """The checkpoint's weights, and what it lacks (the head) by the model's own initialiser.

        A `control` keeps the checkpoint's embeddings alone: the encoder and the head are drawn afresh.
        """
        seed = int(torch.randint(2**62, (), generator=generator))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            fresh = dict(type(self.network)(self.network.config).named_parameters())
        for name, weight in self.named_parameters():
            kept = name in self.pretrained and (name in self.embeddings or not control)
            weight.copy_(self.pretrained[name] if kept else fresh[name.removeprefix("network.")])


def build(words: Sequence[str], classes: int, settings: dict[str, Any]) -> Bert:
    """The classifier in the local folder `settings["checkpoint"]`. Raises BadInput where it does not fit.

    `settings["config"]`, where there is one, changes entries of the checkpoint's config, as `narrower` says.
    """
    from transformers import AutoConfig, AutoModelForSequenceClassification, logging

    folder, pretrained = Path(settings["checkpoint"]), settings["pretrained"]
    shown = logging.get_verbosity()
    logging.set_verbosity_error()  # it would warn that the head is new; it always is
    logging.disable_progress_bar()
    try:
        changes = {"num_labels": classes, **settings.get("config", {})}
        config = AutoConfig.from_pretrained(folder, **changes, local_files_only=True, trust_remote_code=False)
        if not pretrained:
            network = AutoModelForSequenceClassification.from_config(
                config, dtype=torch.float32, trust_remote_code=False
            )
            _fit(network, words, folder)
            return Bert(network, {}, classes)
        network, info = AutoModelForSequenceClassification.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    except Exception as error:  # each architecture has its own way to fail on a config
        if isinstance(error, MemoryError) or "allocate memory" in str(error):
            raise
        why = next(iter(str(error).strip().splitlines()), "").rstrip(".") or type(error).__name__
        raise BadInput(
            f"model.checkpoint: {folder} cannot be loaded as a sequence classifier ({why}); give the "
            "folder or hub name of one that transformers knows."
        ) from None
    finally:
        logging.set_verbosity(shown)
    _fit(network, words, folder)
    encoder = f"{network.base_model_prefix}."
    new = set(info["missing_keys"]) | {mismatch[0] for mismatch in info["mismatched_keys"]}
    if missing := sorted(name for name in new if name.startswith(encoder)):
        missing = [name for name in missing if ".pooler." not in name]  # a masked language model has none
        if missing:
            raise BadInput(
                f"model.checkpoint: {folder} lacks the weights of {missing[0]} and {len(missing) - 1} other layers; "
                "give a whole checkpoint, or model.pretrained=false to draw all weights afresh."
            )
    kept = {
        f"network.{name}": weight.detach().clone() for name, weight in network.named_parameters() if name not in new
    }
    return Bert(network, kept, classes)


def narrower(settings: Mapping[str, Any], _words: int, classes: int, parameters: int) -> Mapping[str, Any] | None:
    """The settings of the widest such network of at most so many parameters, drawn afresh with the same vocabulary.

    The hidden size stays a multiple of the number of heads, and the feed-forward part shrinks in proportion with it.
    Fewer heads share a hidden size that would leave less than 8 to each. Counted on networks without storage, so for
    any architecture. Raises BadInput for one that does not narrow so.
    """
    from transformers import AutoConfig, AutoModelForSequenceClassification

    folder = settings["checkpoint"]
    given = AutoConfig.from_pretrained(folder, num_labels=classes, local_files_only=True, trust_remote_code=False)
    feed = next((name for name in _FEEDS if isinstance(getattr(given, name, None), int)), None)

    def changes(share: int, inner: int) -> dict[str, int]:
        heads, hidden = given.num_attention_heads, given.hidden_size
        size = share * heads
        least = 1 if any(hasattr(given, name) for name in _OF_HEADS) else min(8, hidden // heads)
        fitting = [each for each in range(1, heads + 1) if heads % each == 0 and size // each >= least]
        tied = {name: max(1, round(getattr(given, name) * size / hidden)) for name in _TIED if hasattr(given, name)}
        shape = {"hidden_size": size, "num_attention_heads": max(fitting, default=1), **tied}
        return shape | ({feed: inner} if feed else {})

    @cache
    def count(share: int, inner: int) -> int:
        config = copy.deepcopy(given)
        config.update(changes(share, inner))
        with torch.device("meta"):
            module = Bert(AutoModelForSequenceClassification.from_config(config, trust_remote_code=False), {}, classes)
        padding = module.get_parameter(module.padding[0]).shape[1] if module.padding else 0
        return sum(weight.numel() for weight in module.parameters()) - padding

    try:
        shares = given.hidden_size // given.num_attention_heads
        found = widest(count, (shares, getattr(given, feed) if feed else 1), parameters)
    except Exception as error:  # each architecture has its own way to fail on a config
        if isinstance(error, MemoryError):
            raise
        raise BadInput(
            f"arm: small-dense given, but a {given.model_type} cannot be made narrower here; leave that arm out."
        ) from None
    return None if found is None else {**settings, "pretrained": False, "config": changes(*found)}


def _fit(network: Any, words: Sequence[str], folder: Path) -> None:
    """BadInput where the tokenizer has pieces that the network has no vector for."""
    rows = network.get_input_embeddings().num_embeddings
    if len(words) > rows:
        raise BadInput(
            f"model.checkpoint: {folder} has a tokenizer of {len(words):,} pieces but vectors for {rows:,}; "
            "give a checkpoint whose tokenizer is its own."
        )


def _name_of(network: nn.Module, part: nn.Module) -> str:
    return next(name for name, each in network.named_modules() if each is part)
