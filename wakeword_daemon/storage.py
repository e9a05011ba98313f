"""Writes files and folders atomically."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from wakeword_daemon.errors import DISK_FAILED

if TYPE_CHECKING:
    from collections.abc import Iterator


def read_secret(path: Path) -> str:
    """Return the secret in a file, without the white space around it.

    Raises:
        OSError: it cannot be read; a PermissionError also if others than its owner could read it.

    """
    with path.open(encoding="utf-8") as file:
        if os.fstat(file.fileno()).st_mode & 0o077:
            raise PermissionError(
                errno.EPERM, f"other users can read it too; chmod 600 {path}", str(path)
            )
        return file.read().strip()


def write_atomically(path: Path, content: bytes, mode: int | None = None) -> None:
    """Write `content` to `path`, as `atomic_file` does.

    Raises:
        OSError: the folder cannot be written to.

    """
    with atomic_file(path, mode) as file:
        file.write(content)


@contextmanager
def atomic_file(path: Path, mode: int | None = None) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path`, and rename it to `path` when it is complete.

    So `path` always has the old content or the new, whatever interrupts the write. Missing folders
    are made. The file gets the usual mode, 0666 less the umask, unless one is given.

    Raises:
        OSError: the folder cannot be written to.

    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o666 & ~_umask() if mode is None else mode)
        Path(name).replace(path)
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in DISK_FAILED and not error.filename:
            error.filename = str(path)  # the system names a file only where it is opened
        raise


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Make a temporary folder beside `path`, and rename it to `path` when it is complete.

    If another process was faster and `path` exists by then, that folder stays.

    Raises:
        OSError: the parent folder cannot be written to.

    """
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        yield folder
        folder.chmod(0o777 & ~_umask())
        try:
            folder.rename(path)
        except OSError:  # which one depends on what the other folder holds
            if not path.is_dir():
                raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask
