"""Who may see what, and who may change what: logging in, and two roles."""
