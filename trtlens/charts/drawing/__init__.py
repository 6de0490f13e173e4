"""What charts share: the record that declares one, colours and themes, layers as rows, operations, peak rates.

It may import all that charts may; it hands out no figure of its own.
"""
