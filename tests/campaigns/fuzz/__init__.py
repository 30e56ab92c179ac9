"""Files that are wrong in every way, given to every reader: read, or refused in a sentence, and nothing else."""
