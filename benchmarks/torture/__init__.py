"""What holds while everything fails: the long form of tests/faults and tests/fuzz, and a table of what came of it."""
