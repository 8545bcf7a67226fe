"""What a network reaches on a set of texts."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.data.batches import Part, by_length
from engine.errors import Stopped
from engine.models import network
from engine.outcomes import Metrics
from engine.pruning.mask import Weights

_BATCH = 256


@torch.inference_mode()
def evaluate(module: nn.Module, part: Part, stop: Callable[[], bool] = lambda: False) -> Metrics:
    """Accuracy, macro-F1 and loss on every text of `part`, dropout off. One wait for the device, at the end."""
    module.eval()
    total: Tensor | None = None
    confusion: Tensor | None = None
    for batch in by_length(part, _BATCH):
        if stop():
            raise Stopped
        logits = module(batch.tokens, batch.lengths)
        classes = logits.shape[1]
        loss = F.cross_entropy(logits.double(), batch.labels, reduction="sum")
        pairs = batch.labels * classes + logits.argmax(dim=1)
        counts = torch.zeros(classes * classes, dtype=torch.long, device=pairs.device)
        counts.scatter_add_(0, pairs, torch.ones_like(pairs))
        total = loss if total is None else total + loss
        confusion = counts if confusion is None else confusion + counts
    assert total is not None and confusion is not None, "a part is never empty"
    table = confusion.view(classes, classes).double().cpu()
    hits = table.diagonal()
    f1 = 2 * hits / (table.sum(0) + table.sum(1)).clamp_min(1)
    present = table.sum(1) > 0
    return Metrics(
        accuracy=(hits.sum() / table.sum()).item(),
        macro_f1=f1[present].mean().item(),
        loss=total.item() / len(part),
    )


def evaluate_at(weights: Weights, module: nn.Module, part: Part, stop: Callable[[], bool] = lambda: False) -> Metrics:
    """The same of the network with these weights, which `module` then holds."""
    network.load(module, weights)
    return evaluate(module, part, stop)
