"""How many requests a server is sent at once: as many as it was made for, fewer for a while after it says 429."""

import time
from collections.abc import Mapping
from typing import Protocol

TOO_MANY = 429
SLOWER = 0.8
# However long a server asks for, it is asked again after this.
LONGEST_PAUSE = 120.0
# Of many 429s to requests that were under way together only the first says something new.
DEAF_SECONDS = 1.0


class Response(Protocol):
    status_code: int

    @property
    def headers(self) -> Mapping[str, str]: ...


class Pace:
    """A fifth less at a 429, one more for every round of answers without one.

    Additive increase and multiplicative decrease, as a network's senders share a line (Chiu and Jain 1989).
    """

    def __init__(self, most: int):
        self.most = most
        self.now = float(most)
        self.quiet_until = 0.0
        self.slowed_at = float("-inf")

    async def look(self, response: Response) -> None:
        """A hook on every response, also those that are tried again."""
        moment = time.monotonic()
        if response.status_code != TOO_MANY:
            self.now = min(float(self.most), self.now + 1 / self.now)
            return
        self.quiet_until = max(self.quiet_until, moment + _asked_for(response))
        if moment - self.slowed_at >= DEAF_SECONDS:
            self.slowed_at = moment
            self.now = max(1.0, self.now * SLOWER)

    def room(self, under_way: int) -> int:
        """How many more may be sent now."""
        if time.monotonic() < self.quiet_until:
            return 0
        return max(0, int(self.now) - under_way)


def _asked_for(response: Response) -> float:
    """Seconds that the server asks to be left alone for; 0 where it says nothing that can be read."""
    try:
        seconds = float(response.headers.get("retry-after", "0"))
    except ValueError:
        return 0.0
    return min(max(seconds, 0.0), LONGEST_PAUSE)
