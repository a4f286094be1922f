"""If I train this model again, do I get the same representation?"""

__version__ = "0.1.0"
