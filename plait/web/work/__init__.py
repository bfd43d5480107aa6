"""Work: long jobs that people start and follow."""
