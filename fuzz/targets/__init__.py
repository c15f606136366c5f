"""The targets, one a module; the first line of each names what must hold for any input whatever."""
