"""Writes what Pidgin writes, and what nobody should: logs and old databases.

An event and its line are the sample's.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[3] / "sample_data"))
