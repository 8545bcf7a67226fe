"""GPUs from both sides: what the driver tells of (NVML), and what torch, asked in a process of its own, can use."""

import json
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.process.doctor.finding import Finding, failure, ok, size, warning
from engine.process.gpus import Gpu

_LITTLE = 1 << 30  # bytes; a CUDA context alone takes about half of it
_PATIENCE = 120.0  # seconds; a cold import of torch from a network file system takes over a minute
_GUIDE = "https://pytorch.org/get-started/locally"
# Prints what torch sees, and whether it can add up on each device, as JSON on the last line.
_ASK = """
import json, warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import torch
    def adds_up(device):
        try:
            ones = torch.ones(16, 16, device=device)
            total = float((ones @ ones).sum())
            return None if total == 4096 else f"it computes {total}, not 4096"
        except Exception as error:
            return str(error)
    there = torch.cuda.is_available()
    devices = [
        {"name": torch.cuda.get_device_name(place), "trouble": adds_up(f"cuda:{place}")}
        for place in range(torch.cuda.device_count() if there else 0)
    ]
    said = {"version": torch.__version__, "cuda": torch.version.cuda, "trouble": adds_up("cpu"), "devices": devices}
print()
print(json.dumps(said | {"warnings": [str(one.message) for one in caught if "CUDA" in str(one.message)]}))
"""


@dataclass(frozen=True)
class Torch:
    """torch as it is here: `cuda` is the version it was built for, `trouble` why the CPU (or a device) cannot compute.

    `devices` are pairs of a name and a trouble; `warnings` what torch said while it looked for them.
    """

    version: str
    cuda: str | None
    trouble: str | None = None
    devices: tuple[tuple[str, str | None], ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Driver:
    """The NVIDIA driver: its version, the newest CUDA that it runs, and how many GPUs it has, hidden ones too."""

    version: str
    cuda: tuple[int, int]
    count: int


def ask_torch(program: str = sys.executable, patience: float = _PATIENCE) -> Torch | str:
    """What torch says of itself; or, in words, why it says nothing. Never raises."""
    try:
        # -P: no file named torch.py where we happen to stand can come before torch.
        done = subprocess.run(
            [program, "-P", "-c", _ASK], check=False, capture_output=True, stdin=subprocess.DEVNULL, timeout=patience
        )
    except subprocess.TimeoutExpired:
        return f"torch was not imported within {patience:.0f} s"
    except OSError as error:
        return f"{program} cannot be started ({error.strerror or error})"
    return heard(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


def heard(code: int, out: str, err: str) -> Torch | str:
    """The answer of the process that was asked, from its exit code and what it printed."""
    last = next((line for line in reversed(out.splitlines()) if line.strip()), "")
    if code == 0:
        with suppress(ValueError, TypeError, KeyError):
            said = json.loads(last)
            devices = tuple((one["name"], one["trouble"]) for one in said["devices"])
            return Torch(said["version"], said["cuda"], said["trouble"], devices, tuple(said["warnings"]))
    why = next((line.strip() for line in reversed(err.splitlines()) if line.strip()), f"exit code {code}")
    if code < 0:
        why = f"it was ended by signal {-code}"
    return f"torch cannot be imported: {why}"


def ask_driver() -> Driver | None:
    """The NVIDIA driver; None where there is none, or none that answers. Never raises."""
    import pynvml as nvml

    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return None
    try:
        newest = nvml.nvmlSystemGetCudaDriverVersion_v2()  # 12040 is 12.4
        version: Any = nvml.nvmlSystemGetDriverVersion()
        return Driver(str(version), (newest // 1000, newest % 1000 // 10), nvml.nvmlDeviceGetCount())
    except nvml.NVMLError:
        return None
    finally:
        with suppress(nvml.NVMLError):
            nvml.nvmlShutdown()


def has_nodes() -> bool:
    """Whether the kernel's part of an NVIDIA driver is loaded, be there one that answers or not."""
    return Path("/dev/nvidiactl").exists()


def torch(said: Torch | str) -> Finding:
    """Whether torch can be imported and computes on the CPU."""
    if isinstance(said, str):
        return failure("torch", said, "Install it anew: pip install --force-reinstall torch")
    if said.trouble:
        told = f"{said.version} cannot compute on the CPU: {said.trouble}"
        return failure("torch", told, "Install it anew: pip install --force-reinstall torch")
    built = f"built for CUDA {said.cuda}" if said.cuda else "built without CUDA"
    return ok("torch", f"{said.version}, {built}; imports and computes")


def cuda(
    said: Torch | str, driver: Driver | None, visible: list[Gpu], hidden_by: str | None, nodes: bool = False
) -> list[Finding]:
    """torch's GPUs against the driver's. `hidden_by` is the value of CUDA_VISIBLE_DEVICES, `visible` what it leaves."""
    if driver is None and nodes:
        told = "this machine has an NVIDIA driver, and it does not answer"
        return [warning("CUDA", told, "nvidia-smi says why; after an update of the driver, reboot.")]
    if isinstance(said, str):
        return []  # told already
    seen = len(said.devices)
    if driver is None or driver.count == 0:
        names = ", ".join(name for name, _ in said.devices)
        return _broken(said) or [ok("CUDA", f"torch sees {names}" if seen else "no GPU here; runs train on the CPU")]
    if unused := _unused(said, driver, visible, hidden_by):
        return [unused]
    told = f"torch computes on {seen} of {_gpus(driver)}; {_asked(driver)}"
    if seen < len(visible):
        told = f"torch sees {seen} of the {len(visible)} GPUs that the driver tells of"
        return [*_broken(said), warning("CUDA", told, "nvidia-smi says whether the others are well, or split (MIG).")]
    limits = f"; CUDA_VISIBLE_DEVICES is {hidden_by!r}" if hidden_by is not None else ""
    return _broken(said) or [ok("CUDA", told + limits)]


def _unused(said: Torch, driver: Driver, visible: list[Gpu], hidden_by: str | None) -> Finding | None:
    """Why torch sees none of the GPUs that there are; None where it sees one."""
    if said.devices:
        return None
    if not visible and hidden_by is not None:
        told = f"CUDA_VISIBLE_DEVICES is {hidden_by!r}, which hides this machine's {_gpus(driver)}"
        return warning("CUDA", told, "To train on a GPU: unset CUDA_VISIBLE_DEVICES")
    if said.cuda is None:
        told = f"this machine has {_gpus(driver)}, but torch is built without CUDA, so runs train on the CPU"
        return warning("CUDA", told, f"Install {_build(said, driver)}")
    if int(said.cuda.split(".")[0]) > driver.cuda[0]:
        told = f"torch is built for CUDA {said.cuda}, too new for this machine's {_asked(driver)}"
        return warning("CUDA", told, f"Update the driver, or install {_build(said, driver)}")
    why = f": {said.warnings[0]}" if said.warnings else ""
    told = f"torch sees none of this machine's {_gpus(driver)} ({_asked(driver)}){why}"
    return warning("CUDA", told, "nvidia-smi says whether they are well; a container needs --gpus all.")


def _gpus(driver: Driver) -> str:
    return f"{driver.count} GPU{'s' if driver.count > 1 else ''}"


def _asked(driver: Driver) -> str:
    return f"driver {driver.version}, for CUDA up to {driver.cuda[0]}.{driver.cuda[1]}"


def _broken(said: Torch) -> list[Finding]:
    return [
        failure(
            "CUDA",
            f"torch sees {name} but cannot compute on it: {trouble}",
            f"Another build of torch may know this GPU, see {_GUIDE}; till then train with --set device=cpu.",
        )
        for name, trouble in said.devices
        if trouble
    ]


def _build(said: Torch, driver: Driver) -> str:
    plain = said.version.partition("+")[0]
    return f"a build of torch {plain} for CUDA {driver.cuda[0]}, as {_GUIDE} says."


def memory(gpu: Gpu) -> Finding:
    """How much of a GPU is free."""
    told = f"{gpu.name}, {size(gpu.free)} of {size(gpu.total)} free"
    if gpu.free < _LITTLE:
        advice = "nvidia-smi says who holds it; another GPU is chosen with CUDA_VISIBLE_DEVICES."
        return warning(f"GPU {gpu.index}", told, advice)
    return ok(f"GPU {gpu.index}", told)
