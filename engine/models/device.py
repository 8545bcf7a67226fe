"""Which device a name means on this machine."""

import torch

from engine.errors import BadInput


def find(wanted: str) -> torch.device:
    """`auto` is a GPU where there is one; a GPU's device has its number. Raises BadInput for one that is not there."""
    device = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if wanted == "auto" else wanted)
    if device.type != "cuda":
        return device
    count, index = torch.cuda.device_count(), device.index or 0
    if index >= count:
        raise BadInput(f"device: {wanted!r} given, but this machine shows {count} CUDA devices; use auto or cpu.")
    return torch.device("cuda", index)
