"""Count what is in use by key, without remembering keys that are not."""


class CountByKey:
    """How many uses each key has, and all keys together."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self.total = 0

    def __getitem__(self, key: str) -> int:
        return self._counts.get(key, 0)

    def add(self, key: str) -> None:
        """Count one more use of the key."""
        self._counts[key] = self[key] + 1
        self.total += 1

    def remove(self, key: str) -> None:
        """Count one use less; the key must have one."""
        self.total -= 1
        self._counts[key] -= 1
        if not self._counts[key]:
            del self._counts[key]
