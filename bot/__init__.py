"""The program: command line, settings, wiring, service, reconciler, notifier and scheduler."""
