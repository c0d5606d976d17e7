"""Measures how fast the project is, as ratios taken in one run.

The corpus is what the sample's recorder would write, by the same writer of events.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

sys.path.append(str(ROOT / "sample_data"))
# Starts the servers of a lake.
sys.path.append(str(ROOT / "tests" / "python"))
