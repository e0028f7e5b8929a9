"""Usage of a line: which line an address means, recording, changing, hard limits."""
