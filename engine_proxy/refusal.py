"""Why a call is not forwarded."""


class Refused(Exception):
    """Its message is a sentence for whoever reads the manager's log."""
