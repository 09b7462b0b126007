"""The version of mmbt; setup.py reads it from here."""
__version__ = '0.2.0.dev0'
