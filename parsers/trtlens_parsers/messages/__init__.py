"""The messages of a build, by subject: in each module the records of one subject and, beside them, the forms of their lines.

Imports the standard library and, of this package's parent, `line_forms` and what reads parts of lines. Hands out the record
classes, which a finished `Build` gives by class (``build.records(Fusion)``); `line_forms.discover` finds the forms.

Records are named tuples and no dataclasses: a log holds hundreds of thousands of them, a named tuple is made in a third of
the time, and tables take them apart by column.
"""
