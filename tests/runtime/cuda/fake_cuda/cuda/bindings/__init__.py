__version__ = "13.5.0"
