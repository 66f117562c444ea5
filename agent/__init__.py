"""The program that runs on a server (Public, OMEGA, a mainframe): it installs signed releases and tells their state."""
