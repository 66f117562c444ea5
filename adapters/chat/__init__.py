"""What the chat platforms have in common: how people are heard there, without a word of any platform's own."""
