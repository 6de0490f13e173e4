"""What a user asks of a build: options with their spellings, checked before anything is loaded."""
