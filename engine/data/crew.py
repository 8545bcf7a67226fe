"""Processes that number the words of texts, one a core; only for a corpus that is large enough to be worth them."""

import os
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue
from types import TracebackType

from engine.data import numbering
from engine.data.numbering import Numbered, Numberer

MOST = 16  # as many as one process can supply with texts, and then some
ALONE = 16_000_000  # characters that this process numbers itself first, in about the time that others take to start
OURSELVES, NOBODY = -1, -2  # who numbered; nobody's numbers hold for a single chunk


def cores() -> int:
    """How many processes are worth having: one for each core that this process may use, up to MOST."""
    return min(MOST, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


class Crew:
    """Numbers chunks of texts, in order, by `size` processes once `alone` characters have been read.

    A context: at its end the processes are gone. They end by themselves when this process is killed, since their
    connection to it is then closed. What a process does that cannot be started, or dies, is done here instead.
    """

    def __init__(self, max_tokens: int, size: int | None = None, alone: int = ALONE) -> None:
        self._max_tokens = max_tokens
        self._size = cores() if size is None else size
        self._own = Numberer(max_tokens)
        self._alone = alone if self._size > 1 else float("inf")
        self._members: list[_Member] = []
        self._unasked: SimpleQueue[int] = SimpleQueue()
        # A thread asks one member only. Threads take chunks in order, so each member's answers are in order too.
        self._asks = threading.local()
        self._threads = ThreadPoolExecutor(max(1, self._size), "crew", self._choose)
        self._closed = False

    def __enter__(self) -> "Crew":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closed = True
        for member in self._members:
            member.dismiss()
        self._threads.shutdown(cancel_futures=True)
        for member in self._members:
            member.bury()

    def number(self, chunks: Iterable[list[str]]) -> Iterator[tuple[int, Numbered]]:
        """Each chunk in order, and whose numbers it is in; those of one who numbers come in the order it made them.

        At most two chunks a process are under way, however many there are.
        """
        under_way: deque[Future[tuple[int, Numbered]]] = deque()
        for texts in chunks:
            lines = numbering.joined(texts)
            if self._alone > 0:
                self._alone -= len(lines)
                yield OURSELVES, self._own.number(lines)
                continue
            if not self._members:
                self._start()
            under_way.append(self._threads.submit(self._ask, lines))
            if len(under_way) == 2 * self._size:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()

    def _start(self) -> None:
        self._members = [_Member(self._max_tokens) for _ in range(self._size)]
        for who in range(self._size):
            self._unasked.put(who)

    def _choose(self) -> None:
        self._asks.who = self._unasked.get()

    def _ask(self, lines: str) -> tuple[int, Numbered]:
        with suppress(OSError, EOFError):
            return self._asks.who, self._members[self._asks.who].ask(lines)
        if self._closed:
            raise CancelledError
        return NOBODY, Numberer(self._max_tokens).number(lines)


class _Member:
    """One process and the connection to it."""

    def __init__(self, max_tokens: int) -> None:
        self._ours, theirs = socket.socketpair()
        self._process: subprocess.Popen[bytes] | None = None
        with theirs, suppress(OSError):
            self._process = subprocess.Popen(
                # Isolated and by its path: it needs none of our packages, and nothing around it can change that.
                [sys.executable, "-I", "-S", numbering.__file__, str(max_tokens)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
            )

    def ask(self, lines: str) -> Numbered:
        return numbering.ask(self._ours, lines)

    def dismiss(self) -> None:
        """End the process, and the wait of a thread that asked it something."""
        with suppress(OSError):
            self._ours.shutdown(socket.SHUT_RDWR)
        if self._process:
            self._process.kill()

    def bury(self) -> None:
        self._ours.close()
        if self._process:
            self._process.wait()
