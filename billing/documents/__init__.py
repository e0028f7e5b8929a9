"""Documents of what was billed: what an invoice says, for ever."""
