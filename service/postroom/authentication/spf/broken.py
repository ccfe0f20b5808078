"""Why a record has no answer."""


class Broken(ValueError):  # noqa: N818 - reads as a verdict where it is raised
    """A record that cannot be read or costs too much (permerror); its text holds no value."""
