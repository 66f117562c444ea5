"""Where updates come from and where their bytes are kept: folders, and their twins in memory."""
