"""Signals: reading them from files or typed text, writing them, and some to try things with."""

from striate.recordings.demo import DEMOS as DEMOS
from striate.recordings.demo import demo as demo
from striate.recordings.files import check_name as check_name
from striate.recordings.files import encode as encode
from striate.recordings.files import read as read
from striate.recordings.files import write as write
from striate.recordings.recording import Recording as Recording
from striate.recordings.recording import RecordingError as RecordingError
from striate.recordings.typed_signal import find as find
from striate.recordings.typed_signal import typed as typed
