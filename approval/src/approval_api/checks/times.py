"""Times of places in a row: raised, and read, for a whole range at once."""

from math import inf


class Times:
    """A time for each place, at first before all others: a binary tree over the places.

    A range is made of a few nodes, so both methods take as long as the tree is high.
    """

    def __init__(self, places: int) -> None:
        """Begin with `places` places."""
        self._leaves = 1 << max(0, places - 1).bit_length()
        self._raised = [-inf] * (2 * self._leaves)
        """Of each node, the latest time to which all of its places were raised together."""
        self._lowest = [-inf] * (2 * self._leaves)
        """Of each node, the earliest time of its places, as far as it and the nodes below know."""

    def raise_to(self, time: float, begin: int, end: int) -> None:
        """Raise the places from `begin` to before `end` to `time`, unless they have a later one."""
        if begin >= end:
            return
        left, right = begin + self._leaves, end + self._leaves
        while left < right:
            if left & 1:
                self._raise(left, time)
                left += 1
            if right & 1:
                right -= 1
                self._raise(right, time)
            left, right = left >> 1, right >> 1
        for node in (begin + self._leaves, end - 1 + self._leaves):
            while node := node >> 1:
                below = min(self._lowest[2 * node], self._lowest[2 * node + 1])
                self._lowest[node] = max(self._raised[node], below)

    def _raise(self, node: int, time: float) -> None:
        self._raised[node] = max(self._raised[node], time)
        self._lowest[node] = max(self._lowest[node], time)

    def lowest(self, begin: int, end: int) -> float:
        """Return the earliest time of the places from `begin` to before `end`; of none, the latest of all."""
        if begin >= end:
            return inf
        left, right = begin + self._leaves, end - 1 + self._leaves
        of_left, of_right = self._lowest[left], self._lowest[right]
        while left >> 1 != right >> 1:
            if not left & 1:
                of_left = min(of_left, self._lowest[left + 1])
            if right & 1:
                of_right = min(of_right, self._lowest[right - 1])
            left, right = left >> 1, right >> 1
            of_left, of_right = max(of_left, self._raised[left]), max(of_right, self._raised[right])
        lowest = min(of_left, of_right)
        while left := left >> 1:
            lowest = max(lowest, self._raised[left])
        return lowest
