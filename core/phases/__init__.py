"""The workflow by phases: each module decides the commands and the outcomes of one stretch of the journey."""
