"""Builds the engine's step in C into the package, where there is a compiler.

Without one, or with one that fails, the package is installed all the same and numpy does the work.
By hand, into this checkout: `python hatch_build.py`.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ModuleNotFoundError:  # by hand
    BuildHookInterface = object  # type: ignore[assignment,misc]

ROOT = Path(__file__).parent
SOURCE = ROOT / "wakeword_daemon/engine/_step.c"
BUILT = SOURCE.with_suffix(".abi3.so")
FLAGS = (
    "-std=gnu11", "-O3", "-fPIC", "-shared", "-Wall", "-Wextra",
    "-fno-math-errno", "-fno-trapping-math",
)  # fmt: skip


def compile_step(target: Path, *more: str) -> str | None:
    """Compile the step to `target`; return why it could not be done, or None."""
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    include = sysconfig.get_path("include")
    part = target.with_suffix(f".{os.getpid()}")
    command = [*compiler[:1], *FLAGS, *more, f"-I{include}", str(SOURCE), "-o", str(part)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return f"{compiler[0]}: {error.strerror}"
    if done.returncode:
        return done.stderr
    part.replace(target)
    return None


class StepBuildHook(BuildHookInterface):  # type: ignore[type-arg,unused-ignore]
    """Adds the compiled step to a wheel, also to an editable one."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Compile before the wheel is put together."""
        if self.target_name != "wheel" or (why := compile_step(BUILT)):
            if self.target_name == "wheel":
                BUILT.unlink(missing_ok=True)
                self.app.display_warning(f"without the step in C, numpy does the work: {why}")
            return
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["pure_python"] = False
        build_data["tag"] = f"cp311-abi3-{platform}"
        build_data["artifacts"].append(str(BUILT.relative_to(ROOT)))


if __name__ == "__main__":
    sys.exit(compile_step(BUILT))
