"""How long content is kept: the policy as a file, the rule that wins for each record, and what has expired."""
