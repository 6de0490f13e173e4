"""Why TensorRT chose what it chose: the tuner's record of one layer, put into sentences that stand on its lines.

May import `comparison`, `accuracy`, `engine` and what is below. Hands out `explain_layer`'s statements for the view
``why`` and for findings.
"""
