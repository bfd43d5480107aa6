"""Hand-offs between departments in the desk: kept, answered, timed, told in mails and published as facts."""
