"""The GPUs of this machine as its driver tells of them: asked of NVML, which needs neither torch nor a CUDA context."""

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Gpu:
    """One GPU. `uuid` names the same card after a reboot and in every container, where `index` may not."""

    uuid: str
    index: int
    name: str
    total: int  # bytes of memory
    free: int  # bytes of it that no process holds


def every() -> list[Gpu]:
    """The GPUs of this machine, in the driver's order; none without a driver. Never raises."""
    import pynvml as nvml

    try:
        nvml.nvmlInit()
    except nvml.NVMLError:  # no driver, or one that does not answer: there is nothing to train on
        return []
    try:
        return [_told(nvml, index) for index in range(nvml.nvmlDeviceGetCount())]
    except nvml.NVMLError:
        return []
    finally:
        with suppress(nvml.NVMLError):
            nvml.nvmlShutdown()


def allowed() -> str | None:
    """This process's CUDA_VISIBLE_DEVICES, None where it is not set: in UUIDs, which unlike numbers mean the same in
    every process; as it is where it names none of the driver's.
    """
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    return given and (",".join(card.uuid for card in visible(every(), given)) or given)


def _told(nvml: Any, index: int) -> Gpu:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    uuid, name = nvml.nvmlDeviceGetUUID(handle), nvml.nvmlDeviceGetName(handle)
    return Gpu(uuid, index, name, int(memory.total), int(memory.free))


def visible(found: list[Gpu], allowed: str | None) -> list[Gpu]:
    """Those that a value of CUDA_VISIBLE_DEVICES (None: not set) leaves, as CUDA reads it.

    Numbers and beginnings of UUIDs, in their order; the first that names none ends the list.
    """
    if allowed is None:
        return found
    left: list[Gpu] = []
    for word in (one.strip() for one in allowed.split(",")):
        named = [gpu for gpu in found if (word == str(gpu.index) or (word and gpu.uuid.startswith(word)))]
        if len(named) != 1 or named[0] in left:
            break
        left.append(named[0])
    return left
