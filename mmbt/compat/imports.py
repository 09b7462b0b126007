"""Gaps at import: versions that do not go together, and names that upstream's modules lack."""
import importlib
import importlib.abc
import importlib.metadata
import importlib.util
import sys
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Import name, the distributions that provide it, lowest version, first version too new or None.
REQUIREMENTS = (
    ('mmengine', ('mmengine', 'mmengine-lite'), '0.10.6', '1.0.0'),
    ('mmcv', ('mmcv', 'mmcv-lite'), '2.0.0', '2.2.0'),
    ('mmaction', ('mmaction2',), '1.2.0', '2.0.0'),
    ('av', ('av',), '17.1.0', None),  # older ones lack names, or end the process on some files
)

# What mmaction2 and mmpretrain import from transformers.modeling_utils, and where it lives.
MOVED_NAMES = {
    'apply_chunking_to_forward': 'transformers.pytorch_utils',
    'find_pruneable_heads_and_indices': 'transformers.pytorch_utils',
    'prune_linear_layer': 'transformers.pytorch_utils',
    'GenerationMixin': 'transformers.generation',
    'PretrainedConfig': 'transformers.configuration_utils',
}
HARMLESS_WARNINGS = (
    'Fail to import ``MultiScaleDeformableAttention``',  # mmcv-lite: no video model needs it
    'Importing from timm.models.layers is deprecated',  # mmaction2's and mmpretrain's own imports
)


def check_versions() -> None:
    """Refuse releases that do not fit together, in one line, before they fail somewhere inside.

    https://mmcv.readthedocs.io/en/latest/get_started/installation.html says that mmcv and
    mmcv-lite must not share an environment: they write to the same folder.

    Raises:
        ImportError: A package is missing or of a version that mmbt does not run on.
    """
    from packaging.version import Version

    for module, distributions, low, high in REQUIREMENTS:
        found = {name: _installed_version(name) for name in distributions}
        found = {name: version for name, version in found.items() if version}
        for name, version in found.items():
            if Version(version) < Version(low) or high and Version(version) >= Version(high):
                wanted = wanted_version(name, low, high)
                raise ImportError(f'mmbt runs on {wanted}, but {name} {version} is installed: '
                                  f"pip install '{wanted}'")
        if not found and importlib.util.find_spec(module) is None:
            wanted = wanted_version(distributions[-1], low, high)
            raise ImportError(f'mmbt needs {module}, which is not installed: '
                              f"pip install '{wanted}'")
        if len(found) > 1:
            both = ' and '.join(found)
            warnings.warn(f'{both} are both installed and overwrite each other: pip uninstall -y '
                          f'{" ".join(found)}, then install one of them again', stacklevel=2)


def wanted_version(name: str, low: str, high: str | None) -> str:
    """A requirement as pip takes it."""
    return f'{name}>={low}' + (f',<{high}' if high else '')


def _installed_version(distribution: str) -> str:
    """The version of an installed distribution, '' where it is not installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ''


def silence_harmless_warnings() -> None:
    """Hide the warnings of upstream's imports that no user of mmbt can act on.

    https://github.com/open-mmlab/mmcv/blob/v2.1.0/mmcv/cnn/bricks/transformer.py#L25
    """
    for message in HARMLESS_WARNINGS:
        warnings.filterwarnings('ignore', message=message)


def supply_drn_localizer() -> None:
    """Stand in for ``mmaction.models.localizers.drn``, which mmaction2's wheel lacks.

    https://github.com/open-mmlab/mmaction2/issues/2714
    """
    name = 'mmaction.models.localizers.drn'
    spec = importlib.util.find_spec('mmaction')
    places = spec.submodule_search_locations if spec else None
    if not places or name in sys.modules:
        return
    if any(Path(place, 'models', 'localizers', 'drn').is_dir() for place in places):
        return
    package, module = types.ModuleType(name), types.ModuleType(f'{name}.drn')
    package.__path__ = []
    vars(module)['DRN'] = _stand_in(
        'DRN', 'mmaction2 was packed without it: install mmaction2 from source')
    sys.modules[name], sys.modules[f'{name}.drn'] = package, module


def restore_transformers_names() -> None:
    """Offer again what left ``transformers.modeling_utils``, so that ``mmaction.models`` imports.

    VindLU, and mmpretrain's multimodal models where pycocotools is installed, import names that
    have left it, most of them in 4.56; in 5.x ``find_pruneable_heads_and_indices`` is gone.
    https://github.com/xinyu1205/recognize-anything/issues/219
    """
    if 'transformers.modeling_utils' in sys.modules:
        offer_moved_names(sys.modules['transformers.modeling_utils'])
    elif not any(isinstance(finder, _AfterImport) for finder in sys.meta_path):
        # Reading it takes two seconds, which who builds no model need not pay.
        sys.meta_path.insert(0, _AfterImport('transformers.modeling_utils', offer_moved_names))


def offer_moved_names(modeling_utils: types.ModuleType) -> None:
    """Give the module the names that have left it, and stand-ins for those that are gone."""
    for name, home in MOVED_NAMES.items():
        if hasattr(modeling_utils, name):
            continue
        moved = getattr(importlib.import_module(home), name, None)
        gone = 'the installed transformers no longer has it: pip install transformers==4.55.4'
        setattr(modeling_utils, name, moved or _stand_in(name, gone))


class _AfterImport(importlib.abc.MetaPathFinder):
    """Does something with a module at the end of its first import."""

    def __init__(self, name: str, deed: Callable[[types.ModuleType], None]) -> None:
        self.name, self.deed = name, deed

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        if fullname != self.name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def execute_and_do(module: types.ModuleType) -> None:
            execute(module)
            self.deed(module)

        spec.loader.exec_module = execute_and_do  # type: ignore[method-assign]
        return spec


def _stand_in(name: str, reason: str) -> type:
    """A class that can be imported, and says why it cannot be used."""

    def refuse(self: Any, *args: Any, **kwargs: Any) -> None:
        raise ImportError(f'{name} cannot be used: {reason}')

    return type(name, (), {'__init__': refuse, '__module__': __name__})
