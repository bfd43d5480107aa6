"""Sources: what turns the files of outside systems into facts."""
