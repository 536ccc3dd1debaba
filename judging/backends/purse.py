"""What a run may still spend. Pure."""

from decimal import Decimal

from jobs.errors import PermanentError

SPENT = (
    "The run's budget is spent, so it has paused. Verdicts that are there stay. Raise the budget on the run's page and "
    "choose “Go on”."
)


class Purse:
    """budget: US dollars left, None where nobody has said how many. known: prices are, so that spending can be told."""

    def __init__(self, budget: Decimal | None, *, known: bool):
        if budget is not None and not known:
            raise PermanentError(
                "A budget needs prices: give price_in and price_out in a new judge, or start a run without a budget."
            )
        self.left = budget
        self.paid = Decimal(0)
        self.times = 0

    @property
    def mean(self) -> Decimal:
        return self.paid / self.times if self.times else Decimal(0)

    @property
    def is_empty(self) -> bool:
        return self.left is not None and self.left <= 0

    def pay(self, cost: Decimal | None) -> None:
        self.paid += cost or 0
        self.times += 1
        if self.left is not None:
            self.left -= cost or 0

    def affords(self, *, under_way: int, wanted: int) -> int:
        """How many of the wanted requests may be sent, if each costs what they have cost so far.

        Before the first answer nobody knows that: then a few go out.
        """
        if self.left is None:
            return wanted
        if self.is_empty:
            return 0
        if not self.times:
            return min(wanted, max(0, 4 - under_way))
        free = self.left - self.mean * under_way
        return min(wanted, max(int(free / self.mean) if self.mean else wanted, 0 if under_way else 1))
