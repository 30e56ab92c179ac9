"""Objects as people look at them: figures, and the views of notebooks."""
