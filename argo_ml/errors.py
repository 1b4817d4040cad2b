"""Errors that a user can act on: one line that names the value and says what would work."""

from __future__ import annotations

import errno

from argo_ml.addresses import redacted

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_REFUSED = (errno.EROFS, errno.EACCES, errno.EPERM)


def one_line(error: BaseException | str) -> str:
    """The message of an error as one line with single spaces."""
    return " ".join(str(error).split())


def system_reason(error: OSError) -> str:
    """What the system says of it, which some errors of libraries leave out."""
    return error.strerror or one_line(error)


def disk_advice(error: OSError) -> str:
    """What helps against it, of a file system that is full or refuses; empty for others."""
    if error.errno in _FULL:
        return "free disk space"
    return "make it writable" if error.errno in _REFUSED else ""


class ArgoError(Exception):
    """Base of every error that the command line shows as one line, without a traceback.

    Its message names no password, whatever it was made of.
    """

    def __str__(self) -> str:
        return redacted(super().__str__())


class ConfigError(ArgoError):
    """A parameter, file or name that cannot be used as given."""


class DataError(ArgoError):
    """Questions or documents that are missing, unreadable or empty."""


class ModelError(ArgoError):
    """A model that cannot be found, loaded or reached."""


class CorpusIndexError(ArgoError):
    """An index that is missing, locked, corrupt or unreachable."""


class TrackingError(ArgoError):
    """A tracking server or run that cannot be used."""


class MissingArtifactError(TrackingError):
    """A file that a run does not keep."""


class StudyError(ArgoError):
    """A study or its storage that cannot be used."""


class StoppedError(ArgoError):
    """Something that was ended before its end on purpose, and can go on."""
