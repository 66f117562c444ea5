"""One folder per outside world; none knows another, and only bot.wiring knows them all."""
