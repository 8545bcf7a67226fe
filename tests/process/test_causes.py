"""Why a run failed: one sentence that names what to change."""

import errno

import pytest
import torch

from engine.process import causes


@pytest.mark.parametrize(
    ("error", "told", "hint"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"), "out of GPU memory", "batch_size"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"), "out of GPU memory", "batch_size"),
        (MemoryError(), "out of memory", "batch_size"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "out of memory", "batch_size"),
        (RuntimeError("CUDA error: an illegal memory access was encountered\nmore"), "the GPU failed", "nvidia-smi"),
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full", "free some space"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "the disk is full", "free some space"),
        (OSError(errno.EIO, "I/O", "/runs/a/status.json"), "/runs/a/status.json: input/output error", "disk is sound"),
        (OSError(errno.EROFS, "read-only", "/runs/a"), "/runs/a: the file system is read-only", "make it writable"),
        (OSError(errno.EMFILE, "Too many open files"), "too many open files", "ulimit"),
        (KeyError("embedding"), "KeyError: 'embedding'", ""),
        (RuntimeError(""), "RuntimeError: no message", ""),
    ],
)
def test_a_cause_names_the_trouble_and_what_to_change_in_one_line(error, told, hint):
    words = causes.of(error)
    assert words.startswith(told)
    assert hint in words
    assert "\n" not in words
