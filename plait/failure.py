"""What goes wrong in a way that users can mend; each failure has a class of its own beside the code that raises it."""


class Misused(Exception):
    """A question or command that cannot be understood: a name, an option, a value."""


class Unfit(Exception):
    """A question or command that was understood, and data, files or a home that will not do."""
