"""What was handed out: the register, grants to open what is sealed, recipients."""
