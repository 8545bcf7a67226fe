"""Why a run failed, in one sentence that also says what to change. The traceback stands in its log."""

import errno

from engine.secrets import hidden

_FULL = (errno.ENOSPC, errno.EDQUOT)
_MANY = (errno.EMFILE, errno.ENFILE)
# What a GPU's driver and libraries say when the card, not the experiment, is the matter.
_GPU_FULL = ("cuda out of memory", "cublas_status_alloc_failed", "cuda error: out of memory")
_GPU_GONE = ("cuda error", "cuda driver", "cublas_status", "cudnn_status", "nvml")
# Of these, the machine, not the run, is to blame.
_GPU_OFF = ("no cuda-capable device", "no cuda gpus", "cuda driver", "uncorrectable ecc", "busy or unavailable", "nvml")
_RAM_FULL = ("out of memory", "allocate memory", "bad_alloc", "can't allocate")


def of(error: BaseException) -> str:
    """What went wrong in words, with what would help where that is known."""
    said = str(error).lower()
    if isinstance(error, OSError) and (words := _of_system(error)):
        return words
    if any(sign in said for sign in _GPU_FULL) or type(error).__name__ == "OutOfMemoryError":
        return (
            "out of GPU memory; a smaller training.batch_size, data.max_tokens or model would fit, "
            "or a GPU that nobody else uses"
        )
    if isinstance(error, MemoryError) or any(sign in said for sign in _RAM_FULL):
        return "out of memory; a smaller training.batch_size, data.max_tokens or model would fit"
    if any(sign in said for sign in _GPU_GONE):
        return f"the GPU failed ({_first(error)}); look at it with `nvidia-smi`, then resume the run"
    return f"{type(error).__name__}: {_first(error)}"


def of_the_machine(error: BaseException) -> bool:
    """Whether any other run would fail of it too: a full or failing disk, a GPU that is gone, too many files open."""
    if isinstance(error, OSError):
        return error.errno in (*_FULL, *_MANY, errno.EIO, errno.EROFS)
    return any(sign in str(error).lower() for sign in _GPU_OFF)


def _of_system(error: OSError) -> str | None:
    where = error.filename or "a file of the run"
    if error.errno in _FULL:
        return "the disk is full; free some space, then resume the run"
    if error.errno == errno.EIO:
        return f"{where}: input/output error; see that the disk is sound and still connected, then resume the run"
    if error.errno == errno.EROFS:
        return f"{where}: the file system is read-only; make it writable, then resume the run"
    if error.errno in _MANY:
        return "too many open files; raise the limit (`ulimit -n`), then resume the run"
    return None


def _first(error: BaseException) -> str:
    """The first line of what it says, without what an address in it may hide."""
    lines = hidden(str(error)).strip().splitlines()
    return lines[0] if lines else "no message"
