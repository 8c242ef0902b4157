"""rdun: a study platform for recursive deep unfolding networks in compressive sensing."""

__version__ = "0.1.0"
