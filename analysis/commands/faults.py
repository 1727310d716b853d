"""What is said when something goes wrong that is our fault."""

from analysis.store.fault_log import write_fault_log

__all__ = ["describe_fault"]


def describe_fault(error: Exception) -> str:
    """Write the log of a fault and return the one line that the user reads.

    Examples
    --------
    >>> describe_fault(ValueError("x")).startswith("This is our fault, sorry (ValueError). Details are in ")
    True
    """
    return f"This is our fault, sorry ({type(error).__name__}). Details are in {write_fault_log(error)}"
