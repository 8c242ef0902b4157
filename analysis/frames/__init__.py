"""Plans, searches and trial directories as tidy frames, and from them one value per arm, seed and image."""

from analysis.frames.study import Arm, StudyFrames, load_study

__all__ = ["Arm", "StudyFrames", "load_study"]
