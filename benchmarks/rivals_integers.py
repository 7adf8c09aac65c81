"""Subset sums of whole numbers as good users of NumPy and of Python's integers would write them.

Items are positive. None of this shares code with the package.
"""

from collections.abc import Sequence

import numpy as np

from benchmarks.rivals import all_sums

_FULL = np.uint64(2**64 - 1)
_KEYS_PER_BLOCK = 2**16  # sorted together: they stay in the cache
# Every byte with its bits in the other order.
_TURNED = np.packbits(
    np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)[:, ::-1], axis=1
)
_TURNED = _TURNED.ravel()


def reachable_bits(items: np.ndarray, most: int | None = None) -> np.ndarray:
    """All sums up to `most` (by default the total) as bits of uint64 words.

    Items in ascending order, so that only the words that can have bits are touched, and those stay
    few for long.
    """
    items = np.sort(items)
    most = int(items.sum()) if most is None else most
    size = most // 64 + 1
    words = np.zeros(size, np.uint64)
    room, total = np.empty(size, np.uint64), 0
    words[0] = 1
    for item in items.tolist():
        _include(words, room, item, total)
        total += item
    return words


def has_sum(items: np.ndarray, target: int) -> bool:
    """Whether some subset has this sum: the bits up to the target, or up to what it leaves out."""
    target = min(target, int(items.sum()) - target)
    if target < 0:
        return False
    word = reachable_bits(items, target)[target // 64]
    return bool(word >> np.uint64(target % 64) & np.uint64(1))


def has_sum_of_halves(items: np.ndarray, target: int) -> bool:
    """The same from the bits of two halves of the items, one of them turned round.

    Sums of the second half b lie at the bits `size - 1 - b`; shifted, at `target - b`.
    """
    items = np.sort(items)
    target = min(target, int(items.sum()) - target)
    if target < 0:
        return False
    first, second = (reachable_bits(half, target) for half in (items[::2], items[1::2]))
    turned = _TURNED[second.view(np.uint8)][::-1].copy().view(np.uint64)
    whole, rest = divmod(64 * len(second) - 1 - target, 64)  # to be shifted down
    wanted = turned[whole:] >> np.uint64(rest)
    if rest:
        wanted[:-1] |= turned[whole + 1 :] << np.uint64(64 - rest)
    return bool(np.any(first[: len(wanted)] & wanted))


def has_sum_in_window(items: np.ndarray, target: int, bits: int) -> bool | None:
    """The same by the package's idea: what speed is that of the idea, and what of the program.

    Only sums below W = 2**(bits + 1) are kept. Once the upper half of them is full, every item
    makes the full run longer, and with its mirror image it fills what lies between. None where that
    does not happen.
    """
    items, size = np.sort(items), 2 ** (bits + 1) // 64
    total, so_far = int(items.sum()), 0
    target = min(target, total - target)
    if target < 0:
        return False
    words, room = np.zeros(size, np.uint64), np.empty(size, np.uint64)
    words[0] = 1
    for number, item in enumerate(items.tolist()):
        _include(words, room, item, so_far)
        so_far += item
        if 2 * so_far - total >= 128 * size:
            return None
        if number % 8 == 7 and np.all(words[size // 2 :] == _FULL):
            break
    else:
        return None
    if target >= 64 * size:
        return True
    for item in items[number + 1 :].tolist():
        if item > target:
            break
        _include(words, room, item, 64 * size)
    return bool(words[target // 64] >> np.uint64(target % 64) & np.uint64(1))


def reachable_integer(items: Sequence[int]) -> int:
    """All sums as bits of one Python integer."""
    sums = 1
    for item in sorted(items):
        sums |= sums << item
    return sums


def has_sum_integer(items: Sequence[int], target: int) -> bool:
    """The same for one target: higher bits are cut off."""
    target = min(target, sum(items) - target)
    if target < 0:
        return False
    sums, mask = 1, (2 << target) - 1
    for item in sorted(items):
        sums |= sums << item & mask
    return bool(sums >> target & 1)


def have_sums(items: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """A batch by meet in the middle: one sorted row of tagged sums for each instance."""
    found = []
    for keys in _tagged(items, targets):
        found.append(np.any((keys[:, 1:] ^ keys[:, :-1]) == 1, axis=1))
    return np.concatenate(found)


def count_sums(items: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """How many subsets have the sum: one half sorted, two searches for each sum of the other."""
    counts = []
    half = items.shape[1] // 2
    for row, target in zip(items, targets, strict=True):
        ordered = np.sort(all_sums(row[:half]))
        wanted = target - all_sums(row[half:])
        found = np.searchsorted(ordered, wanted, "right") - np.searchsorted(ordered, wanted, "left")
        counts.append(int(found.sum()))
    return np.array(counts)


def count_sums_merged(items: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The same from unique sums of both halves with their numbers, joined where they are equal."""
    counts = []
    half = items.shape[1] // 2
    for row, target in zip(items, targets, strict=True):
        first, num_first = np.unique(all_sums(row[:half]), return_counts=True)
        second, num_second = np.unique(target - all_sums(row[half:]), return_counts=True)
        _, here, there = np.intersect1d(first, second, assume_unique=True, return_indices=True)
        counts.append(int(num_first[here] @ num_second[there]))
    return np.array(counts)


def count_table(items: np.ndarray, target: int) -> int:
    """The number of subsets with this sum, modulo 2**64, by dynamic programming over all sums.

    Over those up to the target, or up to what it leaves out, whichever is less.
    """
    target = min(target, int(items.sum()) - target)
    counts = np.zeros(target + 1, np.uint64)
    counts[0] = 1
    total = 0
    for item in np.sort(items).tolist():
        used = min(total + 1, target + 1 - item)  # sums so far, that stay in range
        total += item
        if used > 0:
            counts[item : item + used] += counts[:used]
    return int(counts[target])


def _include(words: np.ndarray, room: np.ndarray, item: int, total: int) -> None:
    """Add the item to all sums, none of which is above `total`; those out of range are lost."""
    whole, rest = divmod(item, 64)
    used = min(total // 64 + 1, len(words) - whole)  # words that hold bits and stay in range
    if used <= 0:
        return
    old = room[:used]
    np.copyto(old, words[:used])
    words[whole : whole + used] |= old << np.uint64(rest)
    if rest:
        used = min(used, len(words) - whole - 1)
        words[whole + 1 : whole + 1 + used] |= old[:used] >> np.uint64(64 - rest)


def _tagged(items: np.ndarray, targets: np.ndarray):
    """Blocks of ascending rows: twice a sum of one half, or twice what the other lacks, plus 1."""
    half = items.shape[1] // 2
    block = max(1, _KEYS_PER_BLOCK >> (items.shape[1] - half + 1))
    for start in range(0, len(items), block):
        rows, goals = items[start : start + block], targets[start : start + block]
        first, second = all_sums(rows[:, :half]), all_sums(rows[:, half:])
        keys = np.concatenate([2 * first, 2 * (goals[:, None] - second) + 1], axis=1)
        keys.sort(axis=1)
        yield keys
