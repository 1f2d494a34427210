"""What both peers need of python-socketio: a client that remembers every event it got.

The asyncio client, because it takes packets in their order: the threaded one hands each to a thread
of its own.
"""

import asyncio
import time

import socketio

# How long any one answer may take, in seconds: a loaded machine, never a hanging one.
WAIT_S = 15

TRANSPORTS = [
    ("websocket", ["websocket"], "websocket"),
    ("polling", ["polling"], "polling"),
    ("polling, upgraded", ["polling", "websocket"], "websocket"),
]


class Failed(Exception):
    """An expectation did not hold."""


def expect(came, expected, what):
    if came != expected:
        raise Failed(f"expected {what} {expected!r}, got {came!r}")


class Voice:
    """A client in one namespace or several; its events wait in the order of their arrival."""

    # All that the current act has made.
    opened = []

    def __init__(self, namespaces=("/",), **options):
        self.client = socketio.AsyncClient(**options)
        Voice.opened.append(self)
        # What the server's questions are answered with, by the name of the event.
        self.answers = {}
        self._seen = []
        self._arrived = asyncio.Event()
        for namespace in namespaces:
            for own in ("connect", "disconnect", "connect_error"):
                self.client.on(own, self._hears(own, namespace), namespace=namespace)
            self.client.on("*", self._hears_any(namespace), namespace=namespace)

    def _keep(self, *event):
        self._seen.append(event)
        self._arrived.set()

    def _hears(self, name, namespace):
        return lambda *args: self._keep(namespace, name, args)

    def _hears_any(self, namespace):
        def heard(name, *args):
            self._keep(namespace, name, args)
            answer = self.answers.get(name)
            return answer(*args) if answer else None

        return heard

    async def next(self, name, test=lambda *_: True, namespace="/", within=WAIT_S):
        """Takes the first event of that name that satisfies `test` out of what has arrived."""
        deadline = time.monotonic() + within
        while True:
            for at, (where, what, args) in enumerate(self._seen):
                if (where, what) == (namespace, name) and test(*args):
                    del self._seen[at]
                    return args
            self._arrived.clear()
            try:
                left = deadline - time.monotonic()
                await asyncio.wait_for(self._arrived.wait(), timeout=max(0, left))
            except asyncio.TimeoutError:
                seen = ", ".join(what for _, what, _ in self._seen) or "nothing"
                raise Failed(f"expected {name} within {within} s, got {seen}") from None

    def count(self, name):
        """How many events of that name have arrived and were not taken."""
        return sum(1 for _, what, _ in self._seen if what == name)

    async def close(self):
        await self.client.shutdown()
        # A client that is just coming back leaves this open.
        if self.client.eio.http and not self.client.eio.http.closed:
            await self.client.eio.http.close()

    async def arrives(self, transport):
        """Waits until the client speaks over that transport."""
        deadline = time.monotonic() + WAIT_S
        while self.client.transport() != transport:
            if time.monotonic() > deadline:
                raise Failed(f"expected an upgrade to {transport}")
            await asyncio.sleep(0.01)


async def play(acts):
    """Plays the acts and says of each how long it took; the exit code."""
    for title, act in acts:
        start = time.monotonic()
        failure = None
        try:
            await act()
        except Exception as error:  # Whatever it is, it is this act's.
            failure = f"{type(error).__name__}: {error}"
        while Voice.opened:
            await Voice.opened.pop().close()
        if failure:
            print(f"FAILED  {title}: {failure}", flush=True)
            return 1
        print(f"ok  {title} ({(time.monotonic() - start) * 1000:.0f} ms)", flush=True)
    return 0
