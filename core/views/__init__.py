"""What people see: functions from typed facts to cards, in one place. Adapters draw them, and decide nothing."""
