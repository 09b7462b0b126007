"""Install mmbt, with its tools and configs where mim looks for them."""
import os
import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
FOR_MIM = ('tools', 'configs', 'model-index.yml')


class BuildForMim(build_py):
    """Build the package with ``mmbt/.mim/{tools,configs,model-index.yml}``, where mim looks.

    ``pip install .`` copies them; ``pip install -e .`` links them, and tells mim where
    they are.
    """

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            offer(Path(self.build_lib, 'mmbt', '.mim'), link=False)
            return
        offer(ROOT / 'mmbt' / '.mim', link=True)
        lead_mim_here(Path(self.get_finalized_command('install').install_lib))


def lead_mim_here(wheel: Path) -> None:
    """Name this checkout's folder in the metadata of an editable install.

    mim joins the folder of the metadata, site-packages, with the first line of top_level.txt to
    find the package. An editable install has nothing there; an absolute path survives the join.

    Args:
        wheel (Path): The wheel while it is a folder; its metadata is in there already.
    """
    for top_level in wheel.glob('mmbt-*.dist-info/top_level.txt'):
        top_level.write_text(f'{ROOT / "mmbt"}\nmmbt\n', encoding='utf-8')


def offer(target: Path, link: bool) -> None:
    """Put tools, configs and their index under ``target``, in place of what was there."""
    target.mkdir(parents=True, exist_ok=True)
    for name in FOR_MIM:
        source, place = ROOT / name, target / name
        if place.is_symlink() or place.is_file():
            place.unlink()
        elif place.is_dir():
            shutil.rmtree(place)
        if link:
            place.symlink_to(os.path.relpath(source, target), target_is_directory=source.is_dir())
        elif source.is_dir():
            shutil.copytree(source, place, ignore=shutil.ignore_patterns('__pycache__'))
        else:
            shutil.copy(source, place)


def version() -> str:
    """Read the version without importing the package."""
    text = (ROOT / 'mmbt' / 'version.py').read_text(encoding='utf-8')
    return re.search(r"__version__ = '(.+)'", text).group(1)


def long_description() -> str:
    """The README, where there is one."""
    readme = ROOT / 'README.md'
    return readme.read_text(encoding='utf-8') if readme.is_file() else ''


setup(
    name='mmbt',
    version=version(),
    description='Branching Temporal Adapter (BT-Adapter) for MMAction2: video-text retrieval, '
    'recognition on a frozen image-text model',
    long_description=long_description(),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    keywords='computer vision, video understanding, video-text retrieval, CLIP, BT-Adapter',
    classifiers=[
        'Development Status :: 4 - Beta',
        'Operating System :: POSIX :: Linux',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.11',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
    python_requires='>=3.11',  # as tested
    packages=find_packages(include=['mmbt', 'mmbt.*']),
    scripts=['tools/mmbt'],
    package_dir={'': '.'},  # editable installs become a plain path, not a finder that hides it
    include_package_data=True,
    cmdclass={'build_py': BuildForMim},
    # mmcv or mmcv-lite is needed too; pip cannot say "either", so `import mmbt` asks for one.
    # The oldest of each are as tested, together: docs/quickstart.md, Versions.
    install_requires=[
        'av>=17.1',
        'decord>=0.6.0',
        'huggingface_hub>=0.36',
        'importlib_metadata',
        'mmaction2>=1.2.0,<2.0.0',
        'mmengine>=0.10.6,<1.0.0',
        'mmpretrain>=1.0.0,<2.0.0',
        'numpy>=1.26',
        'open_clip_torch>=3.2.0',
        'openmim>=0.3.9',
        'packaging',
        'pyarrow>=26.0',
        'pylance>=14.0',
        'safetensors>=0.8',
        'setuptools>=80.9,<81',
        'tensorboard',
        'timm>=1.0.24',
        'torch>=2.8',
        'torchvision>=0.23',
        'transformers>=4.49',
    ],
    extras_require={
        'app': ['gradio>=6.31'],
        'judge': ['openai>=1.56'],
        'lite': ['mmcv-lite>=2.0.0,<2.2.0'],
        'ray': ['ray>=2.60'],
        'shots': ['scenedetect>=0.7'],
        'test': ['pytest>=9.2', 'webdataset'],
    },
    zip_safe=False,
)
