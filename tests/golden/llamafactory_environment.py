"""What LLaMA-Factory wants around it, for the scripts that run its trainers; imported before it: the newest TRL that it takes, fetched from PyPI beside the
installed one, and an empty torchaudio where torch has none that fits."""

import importlib.machinery
import os
import pathlib
import subprocess
import sys
import tempfile
import types
import zipfile

LLAMAFACTORYS_TRL = "trl==0.24.0"
FETCHED = tempfile.TemporaryDirectory()


def fetched(package: str) -> pathlib.Path:
    """Where it lies unpacked."""
    directory = pathlib.Path(FETCHED.name) / package
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--dest", directory, package], check=True)
    zipfile.ZipFile(next(directory.glob("*.whl"))).extractall(directory)
    return directory


os.environ.update(DISABLE_VERSION_CHECK="1", HF_HUB_OFFLINE="1", HF_DATASETS_CACHE=FETCHED.name + "/datasets")
sys.path.insert(0, str(fetched(LLAMAFACTORYS_TRL)))
try:
    import torchaudio  # noqa: F401
except (ImportError, OSError):
    sys.modules["torchaudio"] = types.ModuleType("torchaudio")
    sys.modules["torchaudio"].__spec__ = importlib.machinery.ModuleSpec("torchaudio", None)

# Old TRL takes what newer transformers say of packages, a pair, for true.
from transformers.utils import import_utils

of_package = import_utils._is_package_available
import_utils._is_package_available = lambda name, return_version=False: of_package(name, return_version) if return_version else of_package(name)[0]
import trl.import_utils  # noqa: F401

import_utils._is_package_available = of_package
