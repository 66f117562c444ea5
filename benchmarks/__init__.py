"""Measures against named floors in the same run: figures hold as ratios, not as absolutes."""
