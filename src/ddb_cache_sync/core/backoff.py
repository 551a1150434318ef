"""How long to wait before trying again: exponential backoff with full jitter. Pure; who waits is somewhere else.

Full jitter (a random wait between zero and a growing bound) keeps hundreds of clients that lost the same server from
coming back at the same moment: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

_MOST_DOUBLINGS = 32  # no bound in use is 2**32 times its first, and float powers overflow


def full_jitter_seconds(attempt: int, fraction: float, *, first_seconds: float, longest_seconds: float) -> float:
    """The wait before attempt 1, 2, … is made again.

    Args:
        attempt: How many waits there were, this one included.
        fraction: The random number, 0 to 1.
        first_seconds: The bound of the first wait; it doubles with each.
        longest_seconds: What the bound never exceeds.
    """
    return fraction * min(longest_seconds, first_seconds * 2.0 ** min(attempt - 1, _MOST_DOUBLINGS))
