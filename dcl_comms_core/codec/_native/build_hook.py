"""What hatchling runs when it makes a wheel: compile the native extensions, or say of each that there will be none."""

from __future__ import annotations

import os
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HERE = Path(__file__).resolve().parent


def _build_module() -> Any:
    """``build.py`` beside this file, which is in no package."""
    spec = spec_from_file_location("dcl_comms_native_build", HERE / "build.py")
    if spec is None or spec.loader is None:
        msg = "build.py is missing"
        raise ImportError(msg)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class NativeExtensions(BuildHookInterface):  # type: ignore[type-arg]  # its parameter is the configuration, which isn't used
    """An editable install has the extension in place; a wheel has it inside, and is then for this platform only."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before the wheel is made; ``version`` is ``standard`` or ``editable``."""
        tools = _build_module()
        self._scratch = TemporaryDirectory(prefix="dcl-comms-")
        for extension in tools.EXTENSIONS:
            try:
                if version == "editable":
                    tools.build(extension=extension)
                    continue
                built = tools.build(Path(self._scratch.name), extension=extension)
            except tools.CannotBuild as problem:
                if extension is tools.CODEC and os.environ.get("DCL_COMMS_CODEC") == "native":
                    raise
                print(tools.no_extension(extension, problem), file=sys.stderr)
                continue
            build_data["force_include"][str(built)] = f"{extension.package}/{built.name}"
            build_data["pure_python"] = False
            build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Called when the wheel is whole."""
        del version, build_data, artifact_path
        scratch = getattr(self, "_scratch", None)
        if scratch is not None:
            scratch.cleanup()
