"""How work ends other than well, and what is said about it."""

import traceback


class PermanentError(Exception):
    """A retry cannot mend it: bad input, a bad setting, a missing checkpoint. Its text is shown to the person."""


class Cancelled(Exception):
    """The job is being cancelled: save what is worth saving and let this pass."""


class StaleAttempt(Exception):
    """This attempt is no longer the current one; nothing that it writes counts any more."""


def is_out_of_memory(error: BaseException) -> bool:
    """Of Python or of a GPU. torch's class is told by name, so that torch need not be there."""
    return isinstance(error, MemoryError) or any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__)


def is_permanent(error: BaseException) -> bool:
    return isinstance(error, PermanentError) or is_out_of_memory(error)


def advice(error: BaseException) -> str:
    """One paragraph for the person who asked for the work."""
    if isinstance(error, PermanentError):
        return str(error)
    if is_out_of_memory(error):
        return (
            f"It ran out of memory ({type(error).__name__}: {error}). "
            "Use a smaller batch or model, or a machine with more memory, and then try again."
        )
    text = str(error).strip()
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def as_traceback(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))
