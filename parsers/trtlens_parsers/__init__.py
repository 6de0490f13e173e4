"""Text of TensorRT's logs, inspectors and exports to frozen records; no files, no tables, no GPU.

Holds one reader for each kind of text, and three packages: `messages` (line forms of a log, each beside its record),
`meanings` (what warnings and errors mean) and `kernels` (what kernel names say). Imports the standard library and itself.

Hands out `log.read_log` and `log.LogReader` (a whole log: its builds, and how its lines were read), `inspector`, `exports`,
`captured`, `saved_tensors` and `dump_index` (documents, told by their beginning), `formats` and `strides` (a tensor's
format), `kernels.read_kernel`, and `errors.FormatError`, the one exception.
"""
