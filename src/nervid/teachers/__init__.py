"""Teachers: pretrained networks that put pictures and text into one space, which files are aligned to.

Importing this package loads torch but not transformers; that waits until a teacher needs it.
"""

from nervid.teachers.load import load_recorded, load_teacher
from nervid.teachers.protocol import Teacher
from nervid.teachers.record import TeacherRecord

__all__ = ["Teacher", "TeacherRecord", "load_recorded", "load_teacher"]
