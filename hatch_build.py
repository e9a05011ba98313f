"""Builds the parts in C, where there is a compiler, and a bill of materials into the package.

These are the engine's step and the filter for other sample rates. Without a compiler, or with one
that fails, the package is installed all the same, and numpy and soxr do the work.
By hand, into this checkout: `python hatch_build.py`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hatchling.metadata.core import ProjectMetadata

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ModuleNotFoundError:  # by hand
    BuildHookInterface = object  # type: ignore[assignment,misc]

ROOT = Path(__file__).parent
ENGINE = ROOT / "wakeword_daemon/engine"
BILL = ROOT / "dist/wakeword-daemon.cdx.json"
BUILT = ENGINE / "_step.abi3.so"
FILTER = ROOT / "wakeword_daemon/audio/_filter.c"
FLAGS = (
    "-std=gnu11", "-O3", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra",
    "-fno-math-errno", "-fno-trapping-math",
)  # fmt: skip
AVX2 = ("-DAVX2", "-mavx2", "-mfma", "-mf16c")


def compile_step(target: Path, *more: str, sources: Path = ENGINE, avx2: bool = True) -> str | None:
    """Compile the step to `target`; return why it could not be done, or None.

    Args:
        target: the extension module.
        more: flags for the compiler.
        sources: the folder of the sources.
        avx2: whether it may contain a second form of the arithmetic, for processors with AVX2.

    """
    # No path of this machine ends up in the file: two builds are the same to the byte.
    command = [_compiler(), *FLAGS, *more, f"-I{sysconfig.get_path('include')}"]
    command.append(f"-ffile-prefix-map={sources}=engine")
    step = sources / "_step.c"
    part, wide = target.with_suffix(f".{os.getpid()}"), target.with_suffix(f".{os.getpid()}.o")
    try:
        parts = [str(step), str(sources / "_plan.c"), str(sources / "_module.c")]
        # A compiler for another kind of processor refuses these flags.
        if avx2 and not _run(*command, *AVX2, "-c", str(step), "-o", str(wide)):
            parts += [str(wide), "-DWITH_AVX2"]
        why = _run(*command, "-shared", *parts, "-o", str(part))
    except OSError as error:
        return f"{command[0]}: {error.strerror}"
    finally:
        wide.unlink(missing_ok=True)
    if why is None:
        part.replace(target)
    return why


def compile_filter(target: Path, *more: str) -> str | None:
    """Compile the filter to `target`; return why it could not be done, or None."""
    part = target.with_suffix(f".{os.getpid()}")
    command = [_compiler(), *FLAGS, *more, f"-I{sysconfig.get_path('include')}"]
    command.append(f"-ffile-prefix-map={FILTER.parent}=audio")
    try:
        why = _run(*command, "-shared", str(FILTER), "-o", str(part))
    except OSError as error:
        return f"{command[0]}: {error.strerror}"
    if why is None:
        part.replace(target)
    return why


def _compiler() -> str:
    return shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")[0]


def _run(*command: str) -> str | None:
    """Run a command; return what it complained of if it failed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr if done.returncode else None


PARTS = {BUILT: compile_step, FILTER.with_suffix(".abi3.so"): compile_filter}
"""What each part is compiled to, and by what."""


class StepBuildHook(BuildHookInterface):  # type: ignore[type-arg,unused-ignore]
    """Adds the compiled step and a bill of materials to a wheel, also to an editable one."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Compile before the wheel is put together."""
        if self.target_name != "wheel":
            return
        BILL.parent.mkdir(exist_ok=True)
        BILL.write_text(json.dumps(bill_of_materials(self.metadata), indent=1) + "\n")
        build_data["sbom_files"].append(str(BILL))
        for built, make in PARTS.items():
            if why := make(built):
                built.unlink(missing_ok=True)
                self.app.display_warning(f"without {built.name}, a library does its work: {why}")
            else:
                build_data["artifacts"].append(str(built.relative_to(ROOT)))
        if not build_data["artifacts"]:
            return
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["pure_python"] = False
        build_data["tag"] = f"cp311-abi3-{platform}"


def bill_of_materials(metadata: ProjectMetadata[Any]) -> dict[str, Any]:
    """Return what the wheel is made of and what it needs, in CycloneDX 1.6.

    The packages that it needs are not in it, and have no version but the range that is accepted.
    """
    core = metadata.core
    own = {
        "type": "application",
        "bom-ref": "self",
        "name": core.name,
        "version": metadata.version,
        "purl": f"pkg:pypi/{core.name}@{metadata.version}",
        "licenses": [{"expression": core.license}],
    }
    extras = [line for lines in core.optional_dependencies.values() for line in lines]
    needed = dict.fromkeys(core.dependencies, "required")
    components = [
        _package(line, needed.get(line, "optional")) for line in sorted({*needed, *extras})
    ]
    components += [_file(path) for path in sorted((ROOT / "models").glob("*.safetensors"))]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": own},
        "components": components,
        "dependencies": [
            {"ref": "self", "dependsOn": [component["bom-ref"] for component in components]}
        ],
    }


def _package(requirement: str, scope: str) -> dict[str, Any]:
    name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
    accepted = {"name": "accepted", "value": requirement}
    return {
        "type": "library",
        "bom-ref": requirement,
        "name": name,
        "scope": scope,
        "purl": f"pkg:pypi/{name.lower()}",
        "properties": [accepted],
    }


def _file(path: Path) -> dict[str, Any]:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {
        "type": "machine-learning-model",
        "bom-ref": f"models/{path.name}",
        "name": path.stem,
        "hashes": [{"alg": "SHA-256", "content": digest}],
    }


if __name__ == "__main__":
    sys.exit("\n".join(filter(None, (make(built) for built, make in PARTS.items()))) or None)
