"""An open file that several may have to close."""

import os


class Descriptor:
    """A descriptor that is closed once, by whoever gets to it first.

    Its number means nothing from the moment it is closed, and soon another file. An interrupt (Ctrl-C) may come after
    any call, so the number is let go of before the call that closes it, and not after.

    Arguments:
        number: the descriptor, which it owns from now on.
    """

    number = -1  # of one whose construction was interrupted

    def __init__(self, number: int) -> None:
        self.number = number

    def close(self) -> None:
        """Closes it, unless it is closed."""
        number, self.number = self.number, -1
        if number >= 0:
            os.close(number)

    def __del__(self) -> None:
        """Closes what nobody closed."""
        self.close()
