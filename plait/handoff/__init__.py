"""Hand-offs: an account passes from one department to another, with an answer owed on both sides."""
