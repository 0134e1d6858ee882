"""What a person is handed who asks what is kept of them: a copy, its context, and what they provided themselves."""
