"""Speed and memory, side by side with what somebody would use instead; see docs/benchmarks.md."""

import os

from packages import garbage
from packages.outside_tools import SETTING

os.environ[SETTING] = "none"  # what is measured is the same on every machine; children inherit it
garbage.look_seldom()  # as the `holdfast` command does
TOOLS = "no virus scanner and no outside converters, as on a new machine"
