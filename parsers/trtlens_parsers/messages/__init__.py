"""The messages of a build, by subject: in each module the records of one subject and, beside them, the forms of their lines.

Imports the standard library and, of the parent, `line_forms`, `layers` and `records`. Hands out the records' classes: a
finished build gives its records by class (``build.records(Fusion)``). `line_forms.discover` finds the forms by itself: a
new one is declared in its module and nowhere else.

Records are named tuples rather than dataclasses: a log holds hundreds of thousands of them, a named tuple is made in a
third of the time, and tables take them apart by column.
"""
