"""Mutation testing: small changes of the code that decides numbers, each of which a test has to notice."""
