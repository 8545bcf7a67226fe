"""Keys one after another: each has done all that it does before the next is given to whatever has the focus then.

Textual gives a key to what has the focus as it arrives, while the one before may still be on its way up to the binding
that moves the focus. Over SSH keys arrive in bursts: without this, what is typed behind `/` or Tab goes astray.
"""

import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from textual.app import App
from textual.events import Key
from textual.message_pump import MessagePump
from textual.screen import Screen

LONGEST = 0.5  # seconds that a key may hold the next ones back, should what it was given to go away meanwhile


class Keystrokes:
    """The keys that have come and are not given out yet. `give` is how the app gives one out."""

    def __init__(self, app: App, give: Callable[[Key], Awaitable[None]]) -> None:
        self._app, self._give = app, give
        self._waiting: deque[Key] = deque()
        self._since: float | None = None  # when the one under way was given out

    async def take(self, key: Key) -> None:
        """Give a key out, now or once those before it are done."""
        if self._since is None or time.monotonic() - self._since > LONGEST:
            await self._out(key)
            return
        if not self._waiting:
            self._app.set_timer(LONGEST, self._overdue)
        self._waiting.append(key)

    async def _out(self, key: Key) -> None:
        if not self._app.screen_stack:  # the app is opening, or leaving
            return
        self._since = time.monotonic()
        screen = self._app.screen
        on_its_way = (self._app.focused or screen).ancestors_with_self[:-1]  # the app itself comes last of all
        await self._give(key)
        self._climb(self._since, screen, on_its_way)

    def _climb(self, since: float, screen: Screen, left: Sequence[MessagePump]) -> None:
        """Follow a key through the queues that it passes: behind it in each, up to the app."""
        while left:
            node, *left = left
            if node.call_later(self._climb, since, screen, left):
                return
        # Twice: where the key's action gave the focus away, that is in the app's queue before the second.
        self._app.call_later(self._app.call_later, self._done, since, screen)

    async def _done(self, since: float, screen: Screen) -> None:
        if since != self._since or not self._app.screen_stack:  # it took too long, or the app is leaving
            return
        if self._app.screen is screen:
            await self._next()
        else:  # a dialog: once it stands, what it focuses has the focus
            self._app.screen.call_after_refresh(self._stands, since)

    def _stands(self, since: float) -> None:
        if since == self._since:
            self._app.call_later(self._next)

    async def _overdue(self) -> None:
        if self._since is not None and time.monotonic() - self._since >= LONGEST:
            await self._next()
        elif self._waiting:
            self._app.set_timer(LONGEST, self._overdue)

    async def _next(self) -> None:
        self._since = None
        if self._waiting and self._app.screen_stack:
            await self._out(self._waiting.popleft())
